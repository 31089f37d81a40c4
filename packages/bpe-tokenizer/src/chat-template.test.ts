import { expect, test } from 'vitest';
import { ChatTemplate } from './chat-template';

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const hello = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
];

test('a conversation is written as the template says, and the generation prompt only when asked for', () => {
  const template = new ChatTemplate(CHATML);
  const plain = '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n';
  expect(template.render(hello)).toBe(plain);
  expect(template.render(hello, { addGenerationPrompt: true })).toBe(`${plain}<|im_start|>assistant\n`);
});

test('special tokens, tools, documents and further variables reach the template', () => {
  const template = new ChatTemplate(
    '{{ bos_token }}{{ tools | length }}{{ documents[0].title }}{% if not enable_thinking %}-quiet{% endif %}',
    { bos_token: '<s>' },
  );
  const options = { tools: [{}, {}], documents: [{ title: 'A' }], variables: { enable_thinking: false } };
  expect(template.render([], options)).toBe('<s>2A-quiet');
});

test('of several templates the named one is used, the tool template with tools, the default otherwise', () => {
  const template = new ChatTemplate([
    { name: 'default', template: 'plain' },
    { name: 'tool_use', template: 'tools' },
    { name: 'rag', template: 'documents' },
  ]);
  expect(template.render([])).toBe('plain');
  expect(template.render([], { tools: [{}] })).toBe('tools');
  expect(template.render([], { template: 'rag' })).toBe('documents');
  expect(() => template.render([], { template: 'other' })).toThrow(
    expect.objectContaining({ code: 'X_NOT_FOUND', field: 'template' }),
  );
});

test('a template that refuses the messages says so in its own words', () => {
  const template = new ChatTemplate(
    "{% if messages[0]['role'] != 'user' %}{{ raise_exception('user first') }}{% endif %}",
  );
  expect(() => template.render(hello)).toThrow(
    expect.objectContaining({ code: 'X_INVALID_ARGUMENT', message: expect.stringContaining('user first') }),
  );
});

test('broken and hostile templates are typed errors', () => {
  expect(() => new ChatTemplate('{% for x in %}').render([])).toThrow(
    expect.objectContaining({ code: 'X_INVALID_FORMAT', field: 'chat_template' }),
  );
  expect(() => new ChatTemplate('{% for i in range(10000000000) %}{% endfor %}').render([])).toThrow(
    expect.objectContaining({ code: 'X_LIMIT_EXCEEDED' }),
  );
  expect(() => new ChatTemplate('{{ messages | no_such_filter }}').render([])).toThrow(
    expect.objectContaining({ code: 'X_INVALID_ARGUMENT' }),
  );
  expect(() => new ChatTemplate([{ name: 'default' } as never])).toThrow(
    expect.objectContaining({ code: 'X_INVALID_FORMAT' }),
  );
});

test('messages of another shape are refused with their index', () => {
  const template = new ChatTemplate(CHATML);
  expect(() => template.render('Hi' as never)).toThrow(expect.objectContaining({ field: 'messages' }));
  expect(() => template.render([{ content: 'Hi' } as never])).toThrow(
    expect.objectContaining({ field: 'messages[0].role' }),
  );
});

test('dates are written as strftime does', () => {
  const text = new ChatTemplate("{{ strftime_now('%d %b %Y|%H:%M|100%%|%Q') }}").render([]);
  expect(text).toMatch(/^\d\d [A-Z][a-z]{2} \d{4}\|\d\d:\d\d\|100%\|%Q$/);
});
