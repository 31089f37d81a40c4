// What the rest of the gateway knows about models: their names, what they cost, and how they are asked.

/** What a caller can know about a model before it asks it. What the model is good at is left to be learned. */
export interface ModelCard {
  name: string;
  /** Parameters read for every token: the unit of cost. */
  parameters: number;
}

/** One answer as the model gave it, with what it took. */
export interface Reply {
  model: string;
  text: string;
  /** Natural-log probability of each generated token. */
  logprobs: number[];
  promptTokens: number;
  generatedTokens: number;
  /** Parameters read: the model's parameters times prompt and generated tokens. */
  cost: number;
  seconds: number;
}

/** What the gateway needs of a pool; tests put their own in its place. */
export interface Pool {
  readonly models: readonly ModelCard[];
  ask(model: string, question: string): Promise<Reply>;
  dispose(): Promise<void>;
}

/** The strongest model: the reference that accuracy and cost are compared with. */
export const STRONGEST = 'large';
/** The cheapest model. */
export const CHEAPEST = 'nano';

/** Parameters read for a reply. */
export function costOf(card: ModelCard, tokens: number): number {
  return card.parameters * tokens;
}
