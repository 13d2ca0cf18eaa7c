#ifndef T2T_BIN_DATAGEN_SELECT_PROBLEMS_H_
#define T2T_BIN_DATAGEN_SELECT_PROBLEMS_H_

#include <string>
#include <vector>

namespace t2t {

// The base names of the problems that --problem and --exclude_problems ask
// for: names (with or without "_rev" and "_copy"), patterns ("translate_*"),
// or several of them with commas between. Excluded is what has one of the
// texts of --exclude_problems in its name. Throws a usage error where a name
// isn't registered or nothing is left.
std::vector<std::string> SelectProblems(const std::string& problem,
                                        const std::string& exclude);

}  // namespace t2t

#endif  // T2T_BIN_DATAGEN_SELECT_PROBLEMS_H_
