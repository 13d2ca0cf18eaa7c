#ifndef T2T_METRICS_TEXT_H_
#define T2T_METRICS_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace t2t {

std::u32string ToCodePoints(std::string_view text);
std::string FromCodePoints(std::u32string_view text);

// Python's str.lower(), final sigma and all.
std::u32string LowerCodePoints(const std::u32string& text);
std::string LowerText(std::string_view text);

// Python's str.split(): at white space, no empty parts.
std::vector<std::u32string> SplitCodePoints(std::u32string_view text);

// How a line becomes words. kT2T is T2T's bleu_tokenize; the others are
// sacreBLEU's of that name.
enum class Tokenizer { kT2T, k13a, kIntl, kZh, kChar, kNone };

// "13a" and so on (sacreBLEU's names); throws a usage error on another name.
Tokenizer TokenizerByName(const std::string& name);
std::string TokenizerName(Tokenizer tokenizer);

std::vector<std::u32string> TokenizeLine(Tokenizer tokenizer,
                                         std::u32string line);
// For one line of UTF-8.
std::vector<std::string> TokenizeLine(Tokenizer tokenizer,
                                      std::string_view line);

// The lines of a file, without their ends; what follows the last end counts as
// a line where it is not empty. Throws a MissingError where there is no file.
std::vector<std::string> ReadLines(const std::string& path);

}  // namespace t2t

#endif  // T2T_METRICS_TEXT_H_
