#include "problems/wiki_text.h"

#include <cstddef>

namespace t2t {
namespace {

// Replaces all from `begin` to `end`, the two included, by what `inner` makes
// of what is between them. What begins and doesn't end goes.
template <typename Inner>
std::string Replaced(std::string_view text, std::string_view begin,
                     std::string_view end, const Inner& inner) {
  std::string replaced;
  for (size_t at = 0;;) {
    const size_t start = text.find(begin, at);
    replaced +=
        text.substr(at, start == std::string_view::npos ? start : start - at);
    if (start == std::string_view::npos) return replaced;
    const size_t from = start + begin.size();
    const size_t stop = text.find(end, from);
    if (stop == std::string_view::npos) return replaced;
    replaced += inner(text.substr(from, stop - from));
    at = stop + end.size();
  }
}

}  // namespace

std::string WithoutReferences(std::string_view text) {
  return Replaced(text, "&lt;ref", "&lt;/ref&gt;",
                  [](std::string_view) { return std::string_view(); });
}

std::string WithoutLinks(std::string_view text) {
  return Replaced(text, "[[", "]]", [](std::string_view link) {
    if (link.find(':') != std::string_view::npos) return std::string_view();
    const size_t bar = link.find('|');
    return bar == std::string_view::npos ? link : link.substr(bar + 1);
  });
}

std::string WithoutBold(std::string_view text) {
  return Replaced(text, "'''", "'''",
                  [](std::string_view bold) { return bold; });
}

}  // namespace t2t
