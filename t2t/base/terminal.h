#ifndef T2T_BASE_TERMINAL_H_
#define T2T_BASE_TERMINAL_H_

#include <string>

namespace t2t {

// Columns of the terminal behind fd; 80 where it is none or doesn't say.
int TerminalWidth(int fd);

// The first `columns` columns of a line of UTF-8; every character counts one,
// and none is cut in two.
std::string ClipText(const std::string& line, int columns);

// Breaks lines of more than `columns` columns (20 at least) between words, and
// indents what follows as the line is. What is longer stays whole. A line that
// is a command (indented, after a line "example:") goes on with a '\', so that
// it can be copied.
std::string WrapHelp(const std::string& text, int columns);

}  // namespace t2t

#endif  // T2T_BASE_TERMINAL_H_
