/* The C contract between the core and everything that calls it.
 *
 * The core is one file, xcore.node. Nothing links against it: each domain hands out one function table, and an
 * addon receives the table's address inside a tagged Napi::External. Tables are versioned and append-only: a new
 * function goes to the end, nothing is ever removed or reordered, `size` says how much of the table a core knows.
 *
 * Conventions of every table:
 *  - A function returns an xc_status and, when it is not XC_OK, fills `error` (never NULL). No exception crosses.
 *  - Strings are UTF-8 with an explicit length unless the name ends in _cstr.
 *  - Objects are opaque pointers made by a `*_open` or `*_create` function and released by the matching
 *    `*_release`. They may be used from any thread, one call at a time, unless the header says otherwise.
 *  - Long calls take an xc_control: they poll `cancel` at least every 50 ms and report progress through it.
 */
#ifndef XCORE_CORE_H
#define XCORE_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t xc_status;
enum {
  XC_OK = 0,
  XC_INVALID_ARGUMENT = 1,   /* the caller passed something outside the documented range */
  XC_NOT_FOUND = 2,          /* a file or name does not exist */
  XC_IO = 3,                 /* the operating system refused a read, write or map */
  XC_INVALID_FORMAT = 4,     /* a file or byte stream is truncated, corrupt or hostile */
  XC_UNSUPPORTED = 5,        /* well-formed, but not something this version can do */
  XC_LIMIT_EXCEEDED = 6,     /* a context, capacity or size limit was reached */
  XC_OUT_OF_MEMORY = 7,      /* host or device memory */
  XC_DEVICE_UNAVAILABLE = 8, /* no such device, no driver, built without CUDA */
  XC_DEVICE_FAILED = 9,      /* a device was there and failed */
  XC_CANCELLED = 10,         /* xc_control.cancel was set */
  XC_INTERNAL = 11           /* a defect of the core; please report it */
};

typedef struct xc_error {
  xc_status status;
  int32_t reserved;
  int64_t offset;     /* byte offset in the file or buffer, or -1 */
  char field[192];    /* the argument, metadata key, tensor or JSON path concerned, or "" */
  char message[1024]; /* what was wrong, where, and what would be right */
} xc_error;

typedef struct xc_control {
  const int32_t* cancel;                                   /* read atomically; NULL or *cancel == 0 means go on */
  void (*progress)(void* user, double done, double total); /* may be NULL; called from the calling thread */
  void* user;
} xc_control;

enum { XC_DEVICE_AUTO = 0, XC_DEVICE_CPU = 1, XC_DEVICE_CUDA = 2 };
typedef struct xc_device {
  int32_t kind;  /* XC_DEVICE_* */
  int32_t index; /* CUDA ordinal; ignored otherwise */
} xc_device;

typedef struct xc_table_header {
  const char* domain; /* "core", "tokenizer", "llm", "te", "thermo", "agent", "monitor" */
  uint32_t abi;       /* raised only when the meaning of an existing entry changes */
  uint32_t size;      /* sizeof the table in this core; entries beyond it do not exist */
} xc_table_header;

/* ---- domain "core" ------------------------------------------------------------------------------------------- */

#define XC_CORE_ABI 1

typedef struct xc_device_info {
  xc_device device;
  char name[128];
  char uuid[64];               /* "" for the CPU */
  uint64_t memory_total_bytes; /* 0 if unknown */
  uint64_t memory_free_bytes;
  int32_t compute_major, compute_minor; /* CUDA compute capability; 0 for the CPU */
  int32_t processors;                   /* streaming multiprocessors, or worker threads of the CPU */
  char features[256];                   /* comma-separated: "avx2,fma,f16c,avx512,vnni,amx" or "sm_90" */
} xc_device_info;

enum { XC_EVENT_FALLBACK = 1, XC_EVENT_TIMING = 2 };
typedef struct xc_event {
  int32_t kind;         /* XC_EVENT_* */
  xc_device device;     /* where the op ran, or what was fallen back from */
  const char* op;       /* "llm.forward", ... */
  const char* reason;   /* fallback: why; timing: "" */
  double duration_ms;   /* timing: host-observed duration */
  uint64_t bytes;       /* timing: bytes the op had to move, as documented by the op; 0 if not stated */
} xc_event;

typedef struct xc_core_table {
  xc_table_header header;
  const char* (*version)(void);
  /* Fills up to `capacity` entries, the CPU first; returns how many devices there are. */
  int32_t (*devices)(xc_device_info* out, int32_t capacity);
  /* Why CUDA cannot be used here, in words that name the remedy; "" when it can. */
  const char* (*cuda_unavailable_reason)(void);
  /* Turns a request into a device that exists. `pays` says whether the work is large enough for a GPU; only
   * XC_DEVICE_AUTO looks at it. */
  xc_status (*resolve_device)(xc_device requested, int32_t pays, xc_device* out, xc_error* error);
  /* One listener a process and kind of event; NULL removes it. Called from any thread, must not block. */
  void (*set_event_listener)(int32_t kind, void (*listener)(void* user, const xc_event*), void* user);
  int32_t (*thread_count)(void);
  /* Threads that ops may use, the calling one included; 1..256. Results do not depend on it. */
  xc_status (*set_thread_count)(int32_t threads, xc_error* error);
} xc_core_table;

/* The only entry points of the core besides its Node binding: NULL when the domain or the ABI is unknown. */
const void* xc_table(const char* domain, uint32_t abi);

#ifdef __cplusplus
}
#endif
#endif
