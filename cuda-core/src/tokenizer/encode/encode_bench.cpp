// Speed of encoding and decoding, in MB (10^6 bytes) per second of CPU time of the calling thread:
//   xcore_tokenizer_bench encode [tokenizer ...]      e.g. gpt2 o200k_base.converted, or paths; X_REFERENCE_DIR else ../shared
//   xcore_tokenizer_bench memory [tokenizer]          peak memory of loading it and encoding the corpus once
//   xcore_tokenizer_bench passes fresh|warm ROUNDS SECTION|all [tokenizer ...]   one kind of pass alone, for a profiler or for comparing builds
// "fresh" starts with empty caches on warm code; "warm" is the best of later passes over the same text.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/cpu_features.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/pretokenize/scan.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

double seconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
double cpu() { return seconds(CLOCK_THREAD_CPUTIME_ID); }
double wall() { return seconds(CLOCK_MONOTONIC); }

template <class F>
double best_of(int rounds, double (*clock)(), F&& f) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const double start = clock();
    f();
    best = std::min(best, clock() - start);
  }
  return best;
}

std::string reference(const std::string& path) {
  const char* dir = std::getenv("X_REFERENCE_DIR");
  return std::string(dir ? dir : "../shared") + "/reference/bpe/" + path;
}

// A file, through gzip where its name says so.
std::string read(const std::string& path) {
  const bool packed = path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  std::FILE* const f = packed ? popen(("gzip -dc '" + path + "'").c_str(), "r") : std::fopen(path.c_str(), "rb");
  std::string out;
  if (!f) return out;
  std::vector<char> block(1 << 20);
  while (const size_t n = std::fread(block.data(), 1, block.size(), f)) out.append(block.data(), n);
  packed ? pclose(f) : std::fclose(f);
  return out;
}

std::string path_of(const std::string& name) {
  return name.find('/') != std::string::npos ? name : reference("assets/tokenizer_json/" + name + ".json.gz");
}

long peak_mb() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

struct Section {
  const char* name;
  size_t begin, end;
};
const Section kSections[] = {{"english", 0, 4000000},
                             {"code", 4000000, 7482009},
                             {"cjk", 7482009, 10982009},
                             {"multilingual", 10982009, 13982009},
                             {"web", 13982009, 15982009}};

// The whole corpus at once, warm, on one thread and on two: wall time, and CPU time of the process beside it.
void bench_threads(const Tokenizer& t, const std::string& corpus, std::vector<uint32_t>& ids) {
  double best[3] = {}, used[3] = {};
  for (int threads = 1; threads <= 2; ++threads) {
    thread_pool().set_threads(threads);
    best[threads] = 1e30;
    for (int round = 0; round < 5; ++round) {
      const double start = wall(), cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
      Sink sink{ids.data(), ids.size()};
      t.encode(corpus, 0, sink);
      const double took = wall() - start;
      if (took < best[threads]) {
        best[threads] = took;
        used[threads] = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
      }
    }
  }
  thread_pool().set_threads(1);
  const double mb = static_cast<double>(corpus.size()) * 1e-6;
  std::printf("whole corpus, wall: 1 thread %.0f MB/s (%.1f ms CPU), 2 threads %.0f MB/s (%.1f ms CPU): %.2f times\n", mb / best[1], used[1] * 1e3,
              mb / best[2], used[2] * 1e3, best[1] / best[2]);
}

void bench(const std::string& name, const std::string& corpus) {
  const std::string path = path_of(name);
  const std::string bytes = read(path);
  if (bytes.empty()) {
    std::printf("%s: cannot read %s\n", name.c_str(), path.c_str());
    return;
  }
  std::unique_ptr<Tokenizer> t;
  try {
    const double load = best_of(3, cpu, [&] { t = load_bytes(bytes); });
    std::printf("\n%s: %zu tokens, loaded in %.0f ms CPU\n", name.c_str(), t->model().tokens.size(), load * 1e3);
  } catch (const std::exception& e) {
    std::printf("\n%s: %s\n", name.c_str(), e.what());
    return;
  }
  std::vector<uint32_t> ids(corpus.size() + 64);
  const auto encode = [&](std::string_view text) {
    Sink sink{ids.data(), ids.size()};
    t->encode(text, 0, sink);
    return sink.count;
  };
  std::printf("%-14s %10s %10s %10s %10s %10s %10s %8s\n", "section", "scan MB/s", "fresh", "warm", "count", "8 KB docs", "decode M/s", "B/id");
  for (const Section& s : kSections) {
    const std::string_view text = std::string_view(corpus).substr(s.begin, s.end - s.begin);
    const double mb = static_cast<double>(text.size()) * 1e-6;
    double scanned = 0;
    if (const Scan scan = t->model().steps.size() == 1 ? scanner(t->model().steps[0].pattern) : nullptr) {
      std::vector<uint32_t> ends(1024 + kScanSlack);
      scanned = best_of(3, cpu, [&] {
        const auto* base = reinterpret_cast<const uint8_t*>(text.data());
        for (const uint8_t* at = base; at < base + text.size();) scan(base, at, base + text.size(), ends.data(), 1024);
      });
    }
    encode(std::string_view(corpus).substr(s.begin > 0 ? 0 : 8000000, 200000));
    size_t count = 0;
    const double fresh = best_of(2, cpu, [&] {
      t->cache().clear();
      count = encode(text);
    });
    const double warm = best_of(5, cpu, [&] { count = encode(text); });
    const std::vector<uint32_t> whole(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(count));
    const double counting = best_of(3, cpu, [&] {
      Sink sink{nullptr, 0};
      t->encode(text, 0, sink);
      if (sink.count != count) std::printf("WRONG COUNT\n");
    });
    const double docs = best_of(3, cpu, [&] {
      for (size_t i = 0; i < text.size(); i += 8192) encode(text.substr(i, 8192));
    });
    std::string back;
    back.resize(text.size() + 8192);
    ByteSink bytes{back.data(), back.size()};
    const double decoding = best_of(3, cpu, [&] {
      bytes.count = 0;
      t->decode(whole.data(), whole.size(), false, bytes);
    });
    back.resize(std::min(bytes.count, back.size()));
    if (back != text) std::printf("%s: DECODES TO ANOTHER TEXT\n", s.name);
    std::printf("%-14s %10.0f %10.0f %10.0f %10.0f %10.0f %10.0f %8.2f\n", s.name, scanned > 0 ? mb / scanned : 0, mb / fresh, mb / warm,
                mb / counting, mb / docs, static_cast<double>(count) * 1e-6 / decoding, static_cast<double>(text.size()) / static_cast<double>(count));
  }
  std::string emoji;
  while (emoji.size() < 1000000) emoji += "\xf0\x9f\x98\x80";
  for (const auto& [what, text] : {std::pair<const char*, std::string>("a", std::string(1000000, 'a')), {"one emoji", emoji}}) {
    const double one = best_of(2, cpu, [&] { encode(text); }), two = best_of(2, cpu, [&] { encode(text + text); });
    std::printf("1 MB of %-10s %6.1f ms, 2 MB %6.1f ms\n", what, one * 1e3, two * 1e3);
  }
  const std::string_view line = std::string_view(corpus).substr(1000, 100);
  encode(line);
  const double hundred = best_of(5, cpu, [&] {
    for (int i = 0; i < 10000; ++i) encode(line);
  });
  std::printf("100 bytes: %.0f ns\n", hundred / 10000 * 1e9);
  const auto stats = t->cache().stats();
  std::printf("cache: %llu entries, %.1f MB; peak of the process so far %ld MB\n", static_cast<unsigned long long>(stats.entries),
              static_cast<double>(stats.bytes) * 1e-6, peak_mb());
  bench_threads(*t, corpus, ids);
}

}  // namespace

namespace xcore::tokenizer {

int bench_memory(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "o200k_base.converted";
  std::unique_ptr<Tokenizer> t;
  {
    const std::string bytes = read(path_of(name));
    std::printf("%s: a file of %.1f MB, peak %ld MB", name.c_str(), static_cast<double>(bytes.size()) * 1e-6, peak_mb());
    t = load_bytes(bytes);
  }
  std::printf("; loaded, peak %ld MB", peak_mb());
  const std::string corpus = read(reference("corpus_public.txt.gz"));
  const size_t most = corpus.size() + 64;
  const std::unique_ptr<uint32_t[]> ids(new uint32_t[most]);  // only what is written counts
  Sink sink{ids.get(), most};
  t->encode(corpus, 0, sink);
  std::printf("; %.1f MB encoded to %zu ids with %d threads, peak %ld MB\n", static_cast<double>(corpus.size()) * 1e-6, sink.count,
              thread_pool().threads(), peak_mb());
  return 0;
}

int bench_passes(int argc, char** argv) {
  if (argc < 4) {
    std::printf("passes fresh|warm ROUNDS SECTION|all [TOKENIZER...]\n");
    return 1;
  }
  thread_pool().set_threads(1);
  const bool fresh = std::string(argv[1]) == "fresh";
  const int rounds = std::atoi(argv[2]);
  const std::string only = argv[3];
  const std::string corpus = read(reference("corpus_public.txt.gz"));
  if (corpus.size() < kSections[4].end) {
    std::printf("the reference corpus is absent\n");
    return 1;
  }
  std::vector<uint32_t> ids(corpus.size() + 64);
  std::vector<std::string> names(argv + 4, argv + argc);
  if (names.empty()) names = {"gpt2", "cl100k_base.converted", "o200k_base.converted", "llama3.2"};
  for (const std::string& name : names) {
    const std::unique_ptr<Tokenizer> t = load_bytes(read(path_of(name)));
    const auto encode = [&](std::string_view text) {
      Sink sink{ids.data(), ids.size()};
      t->encode(text, 0, sink);
    };
    std::printf("%-24s", name.c_str());
    for (const Section& s : kSections) {
      if (only != "all" && only != s.name) continue;
      const std::string_view text = std::string_view(corpus).substr(s.begin, s.end - s.begin);
      encode(text);
      const double took = best_of(rounds, cpu, [&] {
        if (fresh) t->cache().clear();
        encode(text);
      });
      std::printf(" %6.1f", static_cast<double>(text.size()) * 1e-6 / took);
    }
    std::printf("\n");
  }
  return 0;
}

int bench_encode(int argc, char** argv) {
  thread_pool().set_threads(1);
  const std::string corpus = read(reference("corpus_public.txt.gz"));
  if (corpus.size() < kSections[4].end) {
    std::printf("the reference corpus is absent: %s\n", reference("corpus_public.txt.gz").c_str());
    return 1;
  }
  std::printf("CPU: %s\n", describe(cpu_features()).c_str());
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty()) names = {"gpt2", "cl100k_base.converted", "o200k_base.converted", "llama3.2", "llama2", "gemma3"};
  for (const std::string& name : names) bench(name, corpus);
  return 0;
}

}  // namespace xcore::tokenizer
