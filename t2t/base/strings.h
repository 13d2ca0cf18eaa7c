#ifndef T2T_BASE_STRINGS_H_
#define T2T_BASE_STRINGS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts,
                 std::string_view separator);
std::string_view Trim(std::string_view text);  // ASCII white space
bool StartsWith(std::string_view text, std::string_view prefix);
bool EndsWith(std::string_view text, std::string_view suffix);
std::string Lower(std::string_view text);  // ASCII only
std::string ReplaceAll(std::string text, std::string_view from,
                       std::string_view to);

// Whole-string parses; false where anything is left over or out of range.
bool ParseInt(std::string_view text, int64_t* value);
bool ParseDouble(std::string_view text, double* value);
bool ParseBool(std::string_view text, bool* value);  // true/false/1/0/yes/no

// The shortest decimal that reads back as the same double ("0.1", "1e-09").
std::string DoubleToString(double value);

// printf into a string.
std::string Format(const char* format, ...)
    __attribute__((format(printf, 1, 2)));

// Levenshtein distance, and the names nearest to `name`, best first (at most
// three, none that is far off): for did-you-mean.
int EditDistance(std::string_view a, std::string_view b);
std::vector<std::string> Nearest(std::string_view name,
                                 const std::vector<std::string>& names);
// "did you mean 'a' or 'b'?", or "" when nothing is near.
std::string DidYouMean(std::string_view name,
                       const std::vector<std::string>& names);

// "TransformerBase" -> "transformer_base", as T2T registers classes.
std::string CamelToSnake(std::string_view name);

}  // namespace t2t

#endif  // T2T_BASE_STRINGS_H_
