#ifndef T2T_TEXT_TESTING_GOLDEN_H_
#define T2T_TEXT_TESTING_GOLDEN_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/text/encoder_factory.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
#include "t2t/text/subword_trie.h"
#include "t2t/text/tokenizer.h"
#include "t2t/text/unicode.h"

namespace t2t {

// Values from Tensor2Tensor itself (tools/golden/data.py).
inline constexpr char kFolder[] = "tests/golden/data";

inline std::string GoldenPath(const std::string& name) {
  return JoinPath(kFolder, name);
}

inline const Json& Golden() {
  static const Json golden = Json::Parse(ReadFile(GoldenPath("golden.json")));
  return golden;
}

inline std::string FromHex(const Json& json) {
  const std::string& hex = json.AsString();
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::vector<std::string> FromHexList(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.items()) list.push_back(FromHex(item));
  return list;
}

inline std::vector<int64_t> Ints(const Json& json) {
  std::vector<int64_t> ints;
  for (const Json& item : json.items()) ints.push_back(item.AsInt());
  return ints;
}

inline ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

}  // namespace t2t

#endif  // T2T_TEXT_TESTING_GOLDEN_H_
