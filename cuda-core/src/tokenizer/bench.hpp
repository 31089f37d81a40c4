// The benches that bench_main.cpp dispatches to.
#pragma once

namespace xcore::tokenizer {

int bench_encode(int argc, char** argv);  // encoding and decoding on the CPU
int bench_passes(int argc, char** argv);  // passes of one kind over the sections of the corpus
int bench_memory(int argc, char** argv);  // of one tokenizer and one pass over the corpus
int bench_batch(int argc, char** argv);   // batches on threads and devices: corpus.gz, MB of a batch, tokenizer files
#if XCORE_CUDA
// Batches on the GPU, see encode_cuda/. Arguments: corpus.gz, MB of a batch, tokenizer files.
void bench_encode_cuda(int argc, char** argv);
#endif

}  // namespace xcore::tokenizer
