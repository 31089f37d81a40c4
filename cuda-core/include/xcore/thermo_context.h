/* What requests tell of the models' outcomes: features of texts, regressors, and the belief about their weights. Part of the domain
 * "thermo". */
#ifndef XCORE_THERMO_CONTEXT_H
#define XCORE_THERMO_CONTEXT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XC_THERMO_CONTEXT_MODELS_MAX 1024
#define XC_THERMO_CONTEXT_SIZE_MAX 4096
/* From one row of a block to the next, in doubles. */
#define XC_THERMO_CONTEXT_STRIDE(size) (((size) + 7) / 8 * 8)
/* Doubles of a block. */
#define XC_THERMO_CONTEXT_BLOCK(models, size) \
  (((int64_t)(models) + 1) * ((size) + 1) * XC_THERMO_CONTEXT_STRIDE(size) + XC_THERMO_CONTEXT_STRIDE(size))

/* A belief about weights, which belongs to the caller. `block`: for each model the square root L of its weights' covariance given the
 * common ones, [size] rows, and their mean, one row; then the same two of the common weights, the second being the pull (the models'
 * `own sum C_m sum x y`); then the mean of the common weights. What is beyond `size` in a row is 0. Covariances are in units of the noise
 * variance. Calls are fastest when it begins at a multiple of 64 bytes. Beforehand a root is I / sqrt(precision) and everything else 0; of models that are not `seen` nothing is read. */
typedef struct xc_thermo_context {
  int32_t models; /* 1 .. XC_THERMO_CONTEXT_MODELS_MAX */
  int32_t size;   /* regressors, 1 .. XC_THERMO_CONTEXT_SIZE_MAX */
  double own;     /* prior precision of a model's own weights, above 0 */
  double* block;
  const uint8_t* seen; /* [models] */
} xc_thermo_context;

/* Numbers that text_features gives, and UTF-16 units of a text that it reads. */
#define XC_THERMO_TEXT_FEATURES 26
#define XC_THERMO_TEXT_UNITS 4096

#ifdef __cplusplus
}
#endif
#endif
