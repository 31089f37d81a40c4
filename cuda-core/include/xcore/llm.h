/* Domain "llm": language models in GGUF files, conversations with them, and the tokens they draw.
 *
 * Tokens are ids; text belongs to the tokenizer domain, and the two meet only in TypeScript. A model may be used from
 * any number of threads at once; a session takes one call at a time and answers a second one with an error. Sessions
 * keep their model alive, so the two may be released in any order.
 */
#ifndef XCORE_LLM_H
#define XCORE_LLM_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_LLM_ABI 1

typedef struct xc_llm_model xc_llm_model;
typedef struct xc_llm_session xc_llm_session;

typedef struct xc_llm_info {
  char architecture[64]; /* "llama" */
  char name[256];        /* general.name, or "" */
  int32_t vocabulary;
  int32_t width; /* of the residual stream: embedding_length */
  int32_t layers;
  int32_t heads;
  int32_t kv_heads;
  int32_t context_length; /* positions the model was made for */
  int32_t default_context; /* capacity of a session that asks for none */
  int32_t reserved;
  uint64_t parameters;
  uint64_t weight_bytes; /* read per decoded token */
  uint64_t file_bytes;
  xc_device device; /* where new sessions run; becomes the CPU when an `auto` device fails */
} xc_llm_info;

typedef struct xc_llm_session_info {
  int32_t capacity; /* positions */
  int32_t length;   /* positions whose keys and values are held */
  xc_device device; /* where this session runs now */
} xc_llm_session_info;

typedef struct xc_llm_token {
  int32_t id;
  float logprob; /* log-softmax of the raw logits at `id`: before temperature, top-k and top-p; nats, <= 0 */
} xc_llm_token;

/* `size` is sizeof the struct as the caller knows it: fields that it does not know keep their defaults, so that the
 * struct may grow at its end. */
typedef struct xc_llm_generate_options {
  uint32_t size;
  int32_t max_tokens;     /* >= 1 */
  double temperature;     /* >= 0; 0 takes the largest logit */
  double top_p;           /* (0, 1]; 1 is off */
  int32_t top_k;          /* >= 0; 0 is off */
  int32_t end_count;      /* ids in end_ids */
  uint64_t seed;          /* token i is drawn with Philox(seed, stream 0, block i) */
  const int32_t* end_ids; /* the reply ends when one of these is chosen; it is not emitted */
} xc_llm_generate_options;

enum {
  XC_LLM_FINISH_LENGTH = 0,  /* max_tokens were emitted, or the context is full */
  XC_LLM_FINISH_END = 1,     /* one of end_ids was chosen */
  XC_LLM_FINISH_STOPPED = 2, /* `tokens` answered with non-zero */
  XC_LLM_FINISH_CANCELLED = 3
};
typedef struct xc_llm_generate_result {
  int32_t finish;           /* XC_LLM_FINISH_* */
  int32_t prompt_tokens;    /* all of the prompt */
  int32_t cached_tokens;    /* of those, how many the session held already */
  int32_t generated_tokens; /* emitted */
  double prefill_ms;        /* until the first choice was made */
  double decode_ms;         /* from there to the end */
} xc_llm_generate_result;

/* Called from the generating thread with one or more tokens; non-zero ends the generation after them. */
typedef int32_t (*xc_llm_tokens)(void* user, const xc_llm_token* tokens, int32_t count);
/* Receives text in one or several pieces. */
typedef void (*xc_llm_write)(void* user, const char* text, size_t length);

typedef struct xc_llm_table {
  xc_table_header header;

  /* Maps and checks a GGUF file and prepares an executor. `context`: default capacity of sessions, 0 for the model's
   * own context length or 4096, whichever is less. XC_DEVICE_AUTO takes a GPU only for models of 256 MiB of weights and more. */
  xc_status (*model_open)(const char* path, size_t path_length, xc_device device, int32_t context,
                          const xc_control* control, xc_llm_model** out, xc_error* error);
  void (*model_release)(xc_llm_model* model);
  xc_status (*model_info)(xc_llm_model* model, xc_llm_info* out, xc_error* error);

  /* Writes JSON. Without a key (NULL): an array of all metadata keys. With one: its value; XC_NOT_FOUND if there is no
   * such key. Integers beyond 2^53 are written as strings, numbers that are not finite as null. */
  xc_status (*model_metadata)(xc_llm_model* model, const char* key, size_t key_length, xc_llm_write write, void* user,
                              xc_error* error);

  /* Logits after each of `count` tokens of a fresh sequence: out[count][vocabulary], row-major. */
  xc_status (*model_logits)(xc_llm_model* model, const int32_t* ids, int32_t count, float* out,
                            const xc_control* control, xc_error* error);

  /* capacity: 0 for the model's default; at most its context length. */
  xc_status (*session_create)(xc_llm_model* model, int32_t capacity, xc_llm_session** out, xc_error* error);
  /* Must not be called while a call of the session runs. */
  void (*session_release)(xc_llm_session* session);
  xc_status (*session_info)(xc_llm_session* session, xc_llm_session_info* out, xc_error* error);
  /* Forgets the positions from `length` on; more than the session holds is not an error. */
  xc_status (*session_truncate)(xc_llm_session* session, int32_t length, xc_error* error);

  /* Makes the session hold exactly `prompt` (reusing the longest prefix that it already holds) and continues it. The
   * prompt must leave room for one token at least: XC_LIMIT_EXCEEDED otherwise. On XC_CANCELLED `result` is filled as
   * far as the generation came. The session holds every emitted token but, after XC_LLM_FINISH_LENGTH or _STOPPED,
   * the last. */
  xc_status (*generate)(xc_llm_session* session, const int32_t* prompt, int32_t count,
                        const xc_llm_generate_options* options, xc_llm_tokens tokens, void* user,
                        const xc_control* control, xc_llm_generate_result* result, xc_error* error);
} xc_llm_table;

#ifdef __cplusplus
}
#endif
#endif
