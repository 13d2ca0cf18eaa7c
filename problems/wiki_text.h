#ifndef PROBLEMS_WIKI_TEXT_H_
#define PROBLEMS_WIKI_TEXT_H_

#include <string>
#include <string_view>

namespace t2t {

// Wikipedia's markup, as it stands in a dump, taken out of a text as T2T does
// it: what begins and doesn't end goes.

std::string WithoutReferences(std::string_view text);
// Of a link its text stays, of one to a picture or a category nothing.
std::string WithoutLinks(std::string_view text);
std::string WithoutBold(std::string_view text);

}  // namespace t2t

#endif  // PROBLEMS_WIKI_TEXT_H_
