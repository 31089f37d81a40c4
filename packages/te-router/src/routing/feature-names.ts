// What the values of a question's features are called, in their order.

export const STRUCTURE = [
  'logLength',
  'logWords',
  'digitFraction',
  'letterFraction',
  'upperCaseFraction',
  'spaceFraction',
  'punctuationFraction',
  'bracketFraction',
  'quoteFraction',
  'operatorFraction',
  'nonAsciiFraction',
  'logNumbers',
  'longestNumber',
  'meanNumberLength',
  'logDigits',
  'longestWord',
  'meanWordLength',
  'distinctTokenFraction',
  'repeatedCharacterFraction',
  'longestRepeat',
  'endsWithQuestionMark',
  'endsOpen',
  'startsWithUpperCase',
  'logQuotedLength',
  'singleCharacterFraction',
  'bracketRun',
  'bracketDepth',
  'logLines',
  'characterEntropy',
] as const;
export const TRIGRAM_SLOTS = 16;
const CUES = [
  'logStemLength',
  'optionCount',
  'logOptionMean',
  'logOptionLongest',
  'logOptionShortest',
  'optionSpread',
  'optionsWithDigits',
  'optionsCapitalised',
  'optionsEndingInStop',
  'optionWords',
  'blanks',
  'questionMarks',
  'endsWithStop',
  'logSentences',
  'logSentenceLength',
  'capitalisedInside',
  'shortWordFraction',
  'longWordFraction',
  'acronymFraction',
  'yearFraction',
  'texFraction',
  'tokensPerCharacter',
  'meanTokenRank',
] as const;

/** The features of the second layer: the first so many. What follows is for the text model. */
export const PLAIN = STRUCTURE.length + TRIGRAM_SLOTS;

/** Names of the features, in the order of their values. */
export const FEATURE_NAMES: readonly string[] = [
  ...STRUCTURE,
  ...Array.from({ length: TRIGRAM_SLOTS }, (_, i) => `trigram${i}`),
  ...CUES,
];
