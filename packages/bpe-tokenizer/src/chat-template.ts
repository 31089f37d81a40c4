// Chat templates: a model's own Jinja program that writes a conversation the way the model was trained on. Jinja itself is
// @huggingface/jinja; what the templates expect to find around them (globals, special tokens, the choice among several
// templates) is here, as in Hugging Face's `apply_chat_template`.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { InvalidArgumentError, InvalidFormatError, LimitExceededError, NotFoundError } from '@x/cuda-core';
import { objectIn, refuse, shown } from '@x/cuda-core/addon';

/** One message of a conversation. Templates read `role` and `content`, and whatever else their model knows (`tool_calls`, ...). */
export interface ChatMessage {
  role: string;
  content?: unknown;
  [key: string]: unknown;
}

export interface RenderOptions {
  /** End with the words that make the model answer. Default false. */
  addGenerationPrompt?: boolean;
  /** JSON schemas of the tools that the model may call. */
  tools?: readonly unknown[];
  /** Documents for templates of retrieval-augmented models. */
  documents?: readonly unknown[];
  /** Name of the template where a model has several (`'tool_use'`). Default: `'tool_use'` with tools, else `'default'`. */
  template?: string;
  /** More variables for the template, e.g. `{ enable_thinking: false }`. */
  variables?: Record<string, unknown>;
}

export interface ChatTemplateOptions extends RenderOptions {
  /** In place of the template that belongs to the tokenizer. */
  chatTemplate?: ChatTemplateSource;
  /** False gives the text in place of its ids. Default true. */
  tokenize?: boolean;
}

/** A template, or several by name. */
export type ChatTemplateSource =
  | string
  | readonly { name: string; template: string }[]
  | Readonly<Record<string, string>>;

type Program = ReturnType<typeof parse>;

/** `range` makes an array: a hostile template must not ask for all memory. */
const RANGE_MAX = 1_000_000;

export class ChatTemplate {
  /** The templates by name, and what they call `bos_token`, ...; what a copy can be made from. */
  get parts(): { sources: Record<string, string>; tokens: Readonly<Record<string, string>> } {
    return { sources: Object.fromEntries(this.#sources), tokens: this.#tokens };
  }

  readonly #sources: ReadonlyMap<string, string>;
  readonly #programs = new Map<string, Program>();
  readonly #tokens: Readonly<Record<string, string>>;

  /**
   * @param source the template, or several by name.
   * @param tokens what templates call `bos_token`, `eos_token`, ...
   * @throws InvalidFormatError when the source is of another shape.
   */
  constructor(source: ChatTemplateSource, tokens: Readonly<Record<string, string>> = {}) {
    this.#sources = named(source);
    this.#tokens = tokens;
  }

  /**
   * The conversation as text.
   *
   * @throws InvalidFormatError for a template with a syntax error; InvalidArgumentError when the template itself refuses the
   * messages (`raise_exception`) or fails on them; NotFoundError for a name that is not among the templates.
   */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    checkMessages(messages);
    const { addGenerationPrompt = false, tools, documents, template, variables = {} } = options;
    const program = this.#program(template ?? (tools && this.#sources.has('tool_use') ? 'tool_use' : 'default'));
    const environment = new Environment();
    const globals: Record<string, unknown> = {
      ...CONSTANTS,
      raise_exception: (message: unknown) => refuse('messages', `the chat template refuses: ${String(message)}`),
      range,
      strftime_now: (format: unknown) => strftime(new Date(), String(format)),
      ...this.#tokens,
      ...variables,
      messages,
      add_generation_prompt: addGenerationPrompt,
      ...(tools && { tools }),
      ...(documents && { documents }),
    };
    try {
      for (const [name, value] of Object.entries(globals)) environment.set(name, value);
      return (new Interpreter(environment).run(program) as { value: string }).value;
    } catch (error) {
      if (error instanceof InvalidArgumentError || error instanceof LimitExceededError) throw error;
      throw new InvalidArgumentError(`the chat template fails on these messages: ${(error as Error).message}`, {
        field: 'messages',
        cause: error,
      });
    }
  }

  #program(name: string): Program {
    let program = this.#programs.get(name);
    if (program) return program;
    const source = this.#sources.get(name) ?? (this.#sources.size === 1 ? [...this.#sources.values()][0] : undefined);
    if (source === undefined) {
      const names = [...this.#sources.keys()].map((n) => JSON.stringify(n)).join(', ');
      throw new NotFoundError(`there is no chat template ${JSON.stringify(name)}; there are ${names}`, {
        field: 'template',
      });
    }
    try {
      program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    } catch (error) {
      throw new InvalidFormatError(`the chat template is no valid Jinja: ${(error as Error).message}`, {
        field: 'chat_template',
        cause: error,
      });
    }
    this.#programs.set(name, program);
    return program;
  }
}

const CONSTANTS = { true: true, false: false, none: null, True: true, False: false, None: null };

function named(source: ChatTemplateSource): ReadonlyMap<string, string> {
  const entries: unknown[][] =
    typeof source === 'string'
      ? [['default', source]]
      : Array.isArray(source)
        ? source.map((entry) => [entry?.name, entry?.template])
        : Object.entries(objectIn(source, 'chat_template'));
  const bad = entries.find(([name, template]) => typeof name !== 'string' || typeof template !== 'string');
  if (bad || entries.length === 0)
    throw new InvalidFormatError('chat_template must be a string, or a list of { name, template } strings', {
      field: 'chat_template',
    });
  return new Map(entries as [string, string][]);
}

function checkMessages(messages: unknown): asserts messages is readonly ChatMessage[] {
  if (!Array.isArray(messages))
    refuse('messages', `messages is ${shown(messages)}; it must be an array of { role, content }`);
  (messages as unknown[]).forEach((message, i) => {
    if (typeof objectIn(message, `messages[${i}]`).role !== 'string')
      refuse(`messages[${i}].role`, `messages[${i}].role must be a string such as "user"`);
  });
}

/** Python's `range(stop)` and `range(start, stop, step)`. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= RANGE_MAX))
    throw new LimitExceededError(
      `the chat template asks for a range of ${length} numbers; at most ${RANGE_MAX} are made`,
      {
        field: 'chat_template',
      },
    );
  return Array.from({ length }, (_, i) => start + i * step);
}

/** The fields of C's strftime that templates use, in English; others stay as they are. */
function strftime(date: Date, format: string): string {
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', options).format(date);
  const two = (n: number) => String(n).padStart(2, '0');
  const fields: Record<string, string> = {
    a: part({ weekday: 'short' }),
    A: part({ weekday: 'long' }),
    b: part({ month: 'short' }),
    B: part({ month: 'long' }),
    d: two(date.getDate()),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    m: two(date.getMonth() + 1),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    S: two(date.getSeconds()),
    y: two(date.getFullYear() % 100),
    Y: String(date.getFullYear()),
    '%': '%',
  };
  return format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => fields[letter] ?? whole);
}

/**
 * The template beside a tokenizer's file: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json`, with the special
 * tokens that the latter names. Undefined when there is none.
 * @throws InvalidFormatError for a `tokenizer_config.json` that is no JSON.
 */
export function chatTemplateBeside(path: string, known: Readonly<Record<string, string>>): ChatTemplate | undefined {
  const folder = dirname(path);
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined;
  const text = read('tokenizer_config.json');
  let config: Record<string, unknown> = {};
  if (text !== undefined) {
    try {
      config = objectIn(JSON.parse(text), 'tokenizer_config.json');
    } catch (cause) {
      throw new InvalidFormatError(`${join(folder, 'tokenizer_config.json')} is no JSON object`, {
        field: path,
        cause,
      });
    }
  }
  const source = read('chat_template.jinja') ?? (config.chat_template as ChatTemplateSource | undefined);
  if (source === undefined) return undefined;
  const tokens: Record<string, string> = { ...known };
  for (const [name, value] of Object.entries(config)) {
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    if (name.endsWith('_token') && typeof content === 'string') tokens[name] = content;
  }
  return new ChatTemplate(source, tokens);
}

/** The template among the properties of a file: those of a GGUF file, or of an image that a tokenizer saved. */
export function chatTemplateIn(
  properties: Readonly<Record<string, string>>,
  known: Readonly<Record<string, string>>,
): ChatTemplate | undefined {
  const sources: Record<string, string> = {};
  const tokens: Record<string, string> = { ...known };
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'chat_template') sources.default = value;
    else if (name.startsWith('chat_template.')) sources[name.slice('chat_template.'.length)] = value;
    else if (name.endsWith('_token')) tokens[name] = value;
  }
  return Object.keys(sources).length > 0 ? new ChatTemplate(sources, tokens) : undefined;
}

/** The properties that {@link chatTemplateIn} reads. */
export function propertiesOf(template: ChatTemplate): Record<string, string> {
  const { sources, tokens } = template.parts;
  const named = Object.entries(sources).map(([name, source]) => [
    name === 'default' ? 'chat_template' : `chat_template.${name}`,
    source,
  ]);
  return { ...tokens, ...Object.fromEntries(named) };
}
