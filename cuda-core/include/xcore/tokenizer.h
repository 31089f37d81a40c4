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
  XC_ENCODE_PARSE_SPECIAL = 2 /* special tokens written in the text become their ids */
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

typedef struct xc_tokenizer_info {
  uint32_t size;           /* largest id + 1; with gaps in the ids more than there are tokens */
  uint32_t bos, eos;       /* XC_NO_TOKEN when the file names none */
  uint32_t added_count;    /* see added_tokens */
  uint32_t end_count;      /* see end_of_generation */
  int32_t adds_special;    /* 1: XC_ENCODE_ADD_SPECIAL changes something */
  int32_t sentencepiece;   /* 1: SentencePiece BPE; 0: byte-level BPE */
  int32_t drops_first_space; /* 1: decode removes one space at the start of the text, which encode put there */
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

typedef struct xc_tokenizer_table {
  xc_table_header header;
  /* Hugging Face tokenizer.json or a GGUF file, told apart by content. The bytes are not needed afterwards. */
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
  /* encode_batch where `device` says; `used` (NULL or) receives where it ran. The ids are the same everywhere. auto takes
   * a GPU when the batch is large enough to be faster there and the tokenizer is one that a GPU can do; cuda fails with
   * XC_UNSUPPORTED for others. The tables and buffers on the GPU stay until release. */
  xc_status (*encode_batch_on)(const xc_tokenizer* tokenizer, const xc_text* texts, size_t count, uint32_t flags,
                               xc_device device, const xc_control* control, uint32_t** ids, size_t* offsets,
                               xc_device* used, xc_error* error);
} xc_tokenizer_table;

#ifdef __cplusplus
}
#endif
#endif
