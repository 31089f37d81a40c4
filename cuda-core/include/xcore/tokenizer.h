/* Tokenizers: text to token ids and back. See core.h for the conventions of every table.
 *
 * An xc_tokenizer is read-only: unlike other objects it may be used by any number of calls at once.
 */
#ifndef XCORE_TOKENIZER_H
#define XCORE_TOKENIZER_H

#include "xcore/core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_TOKENIZER_ABI 1

typedef struct xc_tokenizer xc_tokenizer;

enum {
  XC_ENCODE_ADD_SPECIAL = 1,  /* put BOS, EOS, ... around the text where the file says so */
  XC_ENCODE_PARSE_SPECIAL = 2, /* special tokens written in the text become their ids */
  XC_ENCODE_CONTINUE = 16 /* the text goes on where another ended: no space is put before it (see cuts_between_lines) */
};
enum { XC_DECODE_SKIP_SPECIAL = 1 };

enum {
  XC_TOKEN_PRESENT = 1,          /* there is a token of this id */
  XC_TOKEN_SPECIAL = 2,          /* control token: skipped by XC_DECODE_SKIP_SPECIAL */
  XC_TOKEN_ADDED = 4,            /* found in text before merging */
  XC_TOKEN_BYTE = 8,             /* stands for one byte that no other token covers (<0x0A>) */
  XC_TOKEN_END_OF_GENERATION = 16
};

#define XC_NO_TOKEN 0xffffffffu

enum { XC_OFFSETS_UTF16 = 0, XC_OFFSETS_CODE_POINT = 1, XC_OFFSETS_BYTE = 2 };
#define XC_TEMPLATE_FIRST 0xfffffffdu
#define XC_TEMPLATE_SECOND 0xfffffffeu

typedef struct xc_tokenizer_info {
  uint32_t size;           /* largest id + 1; with gaps in the ids more than there are tokens */
  uint32_t bos, eos;       /* XC_NO_TOKEN when the file names none */
  uint32_t added_count;    /* see added_tokens */
  uint32_t end_count;      /* see end_of_generation */
  int32_t adds_special;    /* 1: XC_ENCODE_ADD_SPECIAL changes something */
  int32_t sentencepiece;   /* 1: SentencePiece BPE; 0: byte-level BPE */
  int32_t drops_first_space; /* 1: decode removes one space at the start of the text, which encode put there */
  int32_t cuts_between_lines; /* 1: a text may be cut between "\n" and an ASCII letter, the rest encoded with CONTINUE */
  int32_t decodes_together;  /* 1: what a token decodes to depends on its neighbours; its `bytes` are its content */
} xc_tokenizer_info;

typedef struct xc_token {
  const char* content; /* as written in the file, e.g. "\u0120the"; lives as long as the tokenizer */
  size_t content_size;
  const char* bytes;   /* what it decodes to; need not be UTF-8 by itself */
  size_t bytes_size;
  uint32_t flags;      /* XC_TOKEN_* */
} xc_token;

typedef struct xc_text {
  const char* data; /* UTF-8; stray bytes are encoded as bytes */
  size_t size;
} xc_text;

typedef struct xc_special_token {
  const char* content; /* UTF-8, 1..1024 bytes */
  size_t content_size;
  uint32_t id; /* below 2^28, not one of the ranks */
} xc_special_token;
/* A text by name. */
typedef struct xc_property {
  const char* name;
  size_t name_size;
  const char* value;
  size_t value_size;
} xc_property;
/* The memory of pieces encoded before, which makes encoding them again fast. It changes no result. */
typedef struct xc_tokenizer_cache {
  uint64_t lookups; /* pieces looked up since the tokenizer was opened or the cache cleared */
  uint64_t misses;  /* of these, encoded anew */
  uint64_t entries; /* pieces kept by calls that have ended */
  uint64_t bytes;   /* their memory */
  uint64_t limit;   /* of the memory of all threads together */
} xc_tokenizer_cache;

typedef struct xc_tokenizer_table {
  xc_table_header header;
  /* Hugging Face tokenizer.json, a SentencePiece BPE model, a GGUF file or what save wrote, told apart by content. The bytes
   * are not needed afterwards. */
  xc_status (*open_bytes)(const uint8_t* data, size_t size, xc_tokenizer** out, xc_error* error);
  xc_status (*open_file)(const char* path, size_t path_size, xc_tokenizer** out, xc_error* error);
  void (*release)(xc_tokenizer* tokenizer);
  void (*info)(const xc_tokenizer* tokenizer, xc_tokenizer_info* out);
  /* XC_INVALID_ARGUMENT when there is no such token. */
  xc_status (*token)(const xc_tokenizer* tokenizer, uint32_t id, xc_token* out, xc_error* error);
  /* XC_NO_TOKEN when there is none of this content. */
  uint32_t (*id_of)(const xc_tokenizer* tokenizer, const char* content, size_t size);
  /* Ids of the added tokens, ascending; lives as long as the tokenizer. xc_tokenizer_info.added_count of them. */
  const uint32_t* (*added_tokens)(const xc_tokenizer* tokenizer);
  /* Ids of the tokens that end a reply, ascending; xc_tokenizer_info.end_count of them. */
  const uint32_t* (*end_of_generation)(const xc_tokenizer* tokenizer);
  /* Writes at most `capacity` ids and sets `count` to how many there are: call again with more room when count is
   * larger. capacity 0 counts. size + 8 is nearly always enough. */
  xc_status (*encode)(const xc_tokenizer* tokenizer, const char* text, size_t size, uint32_t flags, uint32_t* ids,
                      size_t capacity, size_t* count, xc_error* error);
  /* Encodes on all threads. `ids` receives one allocation with the ids of text i at offsets[i] .. offsets[i + 1];
   * `offsets` has room for count + 1. Free it with release_ids. */
  xc_status (*encode_batch)(const xc_tokenizer* tokenizer, const xc_text* texts, size_t count, uint32_t flags,
                            const xc_control* control, uint32_t** ids, size_t* offsets, xc_error* error);
  void (*release_ids)(uint32_t* ids);
  /* Bytes of the ids joined; `size` is how many there are, written up to `capacity`. */
  xc_status (*decode)(const xc_tokenizer* tokenizer, const uint32_t* ids, size_t count, uint32_t flags, char* out,
                      size_t capacity, size_t* size, xc_error* error);
  /* The ids with the range of text that each stands for: `ids` receives one allocation of 3 * count numbers, the ids and
   * then start, end of each in `unit` (XC_OFFSETS_*), 0, 0 for tokens that stand for no text. Free it with release_ids. */
  xc_status (*encode_offsets)(const xc_tokenizer* tokenizer, const char* text, size_t size, uint32_t flags, int32_t unit,
                              uint32_t** ids, size_t* count, xc_error* error);
  /* How special tokens and texts are put together: (what, type id) pairs, where `what` is a token id, XC_TEMPLATE_FIRST or
   * XC_TEMPLATE_SECOND. Writes at most `capacity` numbers, returns how many there are; 0 when the file has no template for
   * so many texts (1 or 2). */
  size_t (*template_of)(const xc_tokenizer* tokenizer, int32_t texts, uint32_t* out, size_t capacity);
  /* tiktoken: a rank file (lines of base64 and rank, or the packed form "! first-rank token token ..."), the regular
   * expression that cuts text, and the special tokens. The bytes are not needed afterwards. */
  xc_status (*open_ranks)(const char* ranks, size_t ranks_size, const char* pattern, size_t pattern_size,
                          const xc_special_token* special, size_t special_count, xc_tokenizer** out, xc_error* error);
  void (*cache_stats)(const xc_tokenizer* tokenizer, xc_tokenizer_cache* out);
  void (*clear_cache)(const xc_tokenizer* tokenizer);
  /* Bytes for all threads together; the default is 64 MiB, the least about 0.2 MiB. Clears the cache. */
  void (*set_cache_limit)(const xc_tokenizer* tokenizer, uint64_t bytes);
  /* How many ids encode would give, without making them. May stop early, with a larger count than `limit`, once there
   * are more than that; SIZE_MAX counts to the end. */
  xc_status (*count)(const xc_tokenizer* tokenizer, const char* text, size_t size, uint32_t flags, size_t limit, size_t* count,
                     xc_error* error);
  /* encode_batch where `device` says; `used` (NULL or) receives where it ran. The ids are the same everywhere. auto takes
   * a GPU when the batch is large enough to be faster there and the tokenizer is one that a GPU can do; cuda fails with
   * XC_UNSUPPORTED for others. The tables and buffers on the GPU stay until release. */
  xc_status (*encode_batch_on)(const xc_tokenizer* tokenizer, const xc_text* texts, size_t count, uint32_t flags,
                               xc_device device, const xc_control* control, uint32_t** ids, size_t* offsets,
                               xc_device* used, xc_error* error);
  /* Writes the tokenizer with all its tables into one file, which open_file loads in milliseconds on machines of this byte
   * order with this version of the core; elsewhere it is XC_UNSUPPORTED. `properties` replace the tokenizer's own of the
   * same name. The file appears whole or not at all. */
  xc_status (*save)(const xc_tokenizer* tokenizer, const char* path, size_t path_size, const xc_property* properties,
                    size_t count, xc_error* error);
  /* What the file says beyond tokens; lives as long as the tokenizer. Writes at most `capacity`, returns how many there
   * are. "chat_template", "chat_template.<name>", "bos_token", "eos_token", "unk_token", "pad_token": of GGUF files;
   * "truncation", "padding": JSON; "special_tokens": "tiktoken" for rank files; and whatever save was given. */
  size_t (*properties)(const xc_tokenizer* tokenizer, xc_property* out, size_t capacity);
} xc_tokenizer_table;

#ifdef __cplusplus
}
#endif
#endif
