// A local npm registry (Verdaccio) that holds this workspace's packages as they would be published.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const platform = `${process.platform}-${process.arch}`;

export function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const clean: NodeJS.ProcessEnv = { ...process.env, ...env };
  // A test started by pnpm must not hand its own settings to the npm under test, nor the workspace's modules (NODE_PATH).
  for (const key of Object.keys(clean)) {
    if (/^(npm|pnpm)_/i.test(key) || key === 'NODE_OPTIONS' || key === 'NODE_PATH') delete clean[key];
  }
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...clean, ...env } });
  return { status: result.status, stdout: result.stdout ?? '', stderr: `${result.stderr ?? ''}${result.error ?? ''}` };
}

export function mustRun(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): string {
  const result = run(command, args, cwd, env);
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${result.status}\n${result.stdout}\n${result.stderr}`);
  }
  return result.stdout;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** What the tests read and change in a package.json. */
export interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

export interface Published {
  name: string;
  version: string;
  bytes: number;
}

export class Registry {
  readonly folder = mkdtempSync(join(tmpdir(), 'x-install-'));
  readonly published: Published[] = [];
  private server: ChildProcess | undefined;
  private url = '';

  /** Installs Verdaccio into a temporary folder and starts it on a free port of the loopback. */
  async start(): Promise<void> {
    const tool = join(this.folder, 'verdaccio');
    mkdirSync(tool);
    // 6.8.0 is the newest that runs on Node 20.
    const manifest = { private: true, dependencies: { verdaccio: '6.8.0' }, overrides: { 'node-fetch': '2.7.0' } };
    writeFileSync(join(tool, 'package.json'), JSON.stringify(manifest));
    mustRun('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], tool);
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}/`;
    const config = [
      `storage: ${join(this.folder, 'storage')}`,
      'max_body_size: 200mb',
      'packages:',
      "  '@x/*': { access: $all, publish: $all, unpublish: $all }",
      'log: { type: stdout, format: pretty, level: error }',
    ].join('\n');
    writeFileSync(join(this.folder, 'config.yaml'), config);
    const program = join(tool, 'node_modules', 'verdaccio', 'bin', 'verdaccio');
    this.server = spawn(
      process.execPath,
      [program, '--config', join(this.folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`],
      {
        stdio: 'ignore',
      },
    );
    for (let waited = 0; ; waited += 100) {
      try {
        if ((await fetch(`${this.url}-/ping`)).ok) return;
      } catch {
        // not listening yet
      }
      if (waited > 60_000) throw new Error('Verdaccio did not start within a minute');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  stop(): void {
    this.server?.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An empty project whose @x packages come from this registry, and nothing else differs from a user's. */
  project(name: string): string {
    const folder = join(this.folder, 'projects', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
    writeFileSync(join(folder, '.npmrc'), this.npmrc());
    return folder;
  }

  private npmrc(): string {
    return `@x:registry=${this.url}\n${this.url.replace('http:', '')}:_authToken=local\n`;
  }

  /** Packs a workspace package exactly as `pnpm publish` would and unpacks it to a folder of its own. */
  pack(workspaceFolder: string): string {
    const source = join(root, workspaceFolder);
    if (workspaceFolder.includes('platform/')) {
      copyFileSync(join(root, 'cuda-core', 'prebuilds', platform, 'xcore.node'), join(source, 'xcore.node'));
    }
    const out = mkdtempSync(join(this.folder, 'pack-'));
    mustRun('npx', ['--yes', 'pnpm@10.34.9', 'pack', '--pack-destination', out], source);
    const tarball = readdirSync(out).find((file) => file.endsWith('.tgz'));
    if (!tarball) throw new Error(`pnpm pack left nothing for ${workspaceFolder}`);
    mustRun('tar', ['-xzf', tarball], out);
    return join(out, 'package');
  }

  /** Publishes an unpacked package, changed by `edit` first. */
  publish(unpacked: string, edit: (manifest: Manifest) => void = () => {}): void {
    const folder = mkdtempSync(join(this.folder, 'publish-'));
    cpSync(unpacked, folder, { recursive: true });
    const file = join(folder, 'package.json');
    const manifest: Manifest = JSON.parse(readFileSync(file, 'utf8'));
    edit(manifest);
    writeFileSync(file, JSON.stringify(manifest, null, 2));
    writeFileSync(join(folder, '.npmrc'), this.npmrc());
    const packed = JSON.parse(mustRun('npm', ['pack', '--json', '--ignore-scripts'], folder));
    const tarball = join(folder, packed[0].filename);
    mustRun('npm', ['publish', tarball, '--ignore-scripts', '--registry', this.url], folder);
    this.published.push({ name: manifest.name, version: manifest.version, bytes: statSync(tarball).size });
  }
}

/** Names of the @x packages that an install brought, wherever the package manager put them. */
export function installedPackages(project: string): string[] {
  const found = new Set<string>();
  const visit = (modules: string) => {
    const scope = join(modules, '@x');
    if (existsSync(scope)) for (const name of readdirSync(scope)) found.add(`@x/${name}`);
    const store = join(modules, '.pnpm');
    if (existsSync(store)) for (const name of readdirSync(store)) visit(join(store, name, 'node_modules'));
  };
  visit(join(project, 'node_modules'));
  return [...found].sort();
}

/** Every package of node_modules that is not ours, in npm's flat layout. */
export function foreignPackages(project: string): string[] {
  return readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.') && name !== '@x');
}
