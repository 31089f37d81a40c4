// A bar on a terminal; on a pipe, one line every tenth of the way.
import { SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

export function startProgress(label: string, out: NodeJS.WriteStream = process.stderr): Progress {
  if (out.isTTY) {
    const bar = new SingleBar({
      format: `${label.padEnd(28)} {bar} {percentage}% | {value}/{total} | {duration_formatted}`,
      barsize: 28,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      stream: out,
    });
    let started = false;
    return {
      update(done, total) {
        if (!started) bar.start(total, done);
        else bar.update(done);
        started = true;
      },
      stop() {
        if (started) bar.stop();
      },
    };
  }
  let printed = -1;
  return {
    update(done, total) {
      const tenth = Math.floor((10 * done) / total);
      if (tenth === printed) return;
      printed = tenth;
      out.write(`${label}: ${done}/${total}\n`);
    },
    stop() {},
  };
}
