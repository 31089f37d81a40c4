/** A rank file of all single bytes and a few merges, so that tests need no data of others. */
export function smallRanks(
  merges: readonly string[] = ['he', 'll', 'hell', 'hello', ' w', 'or', ' wor', 'ld', ' world'],
): string {
  const lines = Array.from({ length: 256 }, (_, byte) => `${Buffer.of(byte).toString('base64')} ${byte}`);
  return [...lines, ...merges.map((token, i) => `${Buffer.from(token).toString('base64')} ${256 + i}`)].join('\n');
}
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
