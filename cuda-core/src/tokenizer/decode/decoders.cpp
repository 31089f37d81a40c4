#include "tokenizer/decode/decoders.hpp"

#include <algorithm>

#include "tokenizer/byte_level.hpp"

namespace xcore::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string replaced(const Needle& needle, const std::string& text, const std::string& content) {
  regex::Budget budget(text.size());
  std::string out;
  size_t at = 0;
  for (const Range& m : needle.find(text, budget)) {
    out.append(text, at, m.begin - at);
    out += content;
    at = m.end;
  }
  out.append(text, at);
  return out;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
}

bool is_utf8(std::string_view s) {
  const uint8_t* p = bytes_of(s);
  const uint8_t* const end = p + s.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    if (c.value == kInvalid) return false;
    p += c.length;
  }
  return true;
}

void byte_level(std::vector<std::string>& tokens) {
  std::string all, bytes;
  for (const std::string& t : tokens) all += bytes_from_characters(t, bytes) ? bytes : t;
  tokens.assign(1, std::move(all));
}

void byte_fallback(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (is_utf8(run)) {
      out.push_back(std::move(run));
    } else {
      out.insert(out.end(), run.size(), std::string(kReplacement));
    }
    run.clear();
  };
  for (std::string& t : tokens) {
    const int byte = byte_of_fallback(t);
    if (byte >= 0) {
      run += static_cast<char>(byte);
      continue;
    }
    flush();
    out.push_back(std::move(t));
  }
  flush();
  tokens = std::move(out);
}

void strip(const DecoderStep& step, std::string& token) {
  const std::string& c = step.content;
  if (c.empty()) return;
  size_t begin = 0, end = token.size();
  for (uint32_t n = 0; n < step.start && token.compare(begin, c.size(), c) == 0; ++n) begin += c.size();
  for (uint32_t n = 0; n < step.stop && end >= begin + c.size() && token.compare(end - c.size(), c.size(), c) == 0; ++n) end -= c.size();
  token = token.substr(begin, end - begin);
}

void clean_up(std::string& text) {
  for (const auto& [what, with] : {std::pair<const char*, const char*>{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"},
                                   {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}) {
    replace_all(text, what, with);
  }
}

void apply(const DecoderStep& step, std::vector<std::string>& tokens) {
  switch (step.kind) {
    case DecoderStep::byte_level: byte_level(tokens); return;
    case DecoderStep::byte_fallback: byte_fallback(tokens); return;
    case DecoderStep::replace:
      for (std::string& t : tokens) t = replaced(step.needle, t, step.content);
      return;
    case DecoderStep::fuse: {
      std::string all;
      for (const std::string& t : tokens) all += t;
      tokens.assign(1, std::move(all));
      return;
    }
    case DecoderStep::strip:
      for (std::string& t : tokens) strip(step, t);
      return;
    case DecoderStep::metaspace:
      for (size_t i = 0; i < tokens.size(); ++i) {
        if (i == 0 && step.drop_first) {
          // Every replacement of the first token goes, not only the one at its start.
          replace_all(tokens[i], step.content, "");
        } else {
          replace_all(tokens[i], step.content, " ");
        }
      }
      return;
    case DecoderStep::word_suffix:
      for (size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], step.content, i + 1 == tokens.size() ? "" : " ");
      return;
    case DecoderStep::word_piece:
      for (size_t i = 0; i < tokens.size(); ++i) {
        std::string& t = tokens[i];
        if (i > 0) {
          if (t.compare(0, step.content.size(), step.content) == 0) {
            t.erase(0, step.content.size());
          } else {
            t.insert(0, " ");
          }
        }
        if (step.cleanup) clean_up(t);
      }
      return;
  }
}

}  // namespace

int byte_of_fallback(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  int value = 0;
  for (size_t i = 3; i < 5; ++i) {
    const char c = token[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void run_decoders(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens, std::string& out) {
  for (const DecoderStep& step : steps) apply(step, tokens);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (steps.empty() && i > 0) out += ' ';
    out += tokens[i];
  }
}

DecoderShape shape_of(const std::vector<DecoderStep>& steps) {
  DecoderShape shape;
  if (steps.size() == 1 && steps[0].kind == DecoderStep::byte_level) {
    shape.kind = DecoderShape::bytes;
    return shape;
  }
  if (steps.size() < 3 || steps.size() > 4 || steps[0].kind != DecoderStep::replace || steps[0].needle.regex ||
      steps[1].kind != DecoderStep::byte_fallback || steps[2].kind != DecoderStep::fuse) {
    return shape;
  }
  if (steps.size() == 4) {
    const DecoderStep& s = steps[3];
    if (s.kind != DecoderStep::strip || s.content != " " || s.stop != 0) return shape;
    shape.strip = s.start;
  }
  shape.kind = DecoderShape::fallback;
  return shape;
}

}  // namespace xcore::tokenizer
