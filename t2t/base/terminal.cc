#include "t2t/base/terminal.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

namespace t2t {
namespace {

// Columns of text in UTF-8, as many as characters.
int Columns(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
      }));
}

std::string WrapLine(const std::string& line, int columns, bool is_command) {
  if (Columns(line) <= columns) return line;
  const size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string first(indent, ' ');
  const std::string next(indent + (is_command ? 4 : 0), ' ');
  std::string wrapped = first;
  int at = static_cast<int>(indent);
  bool has_word = false;
  for (size_t begin = indent; begin < line.size();) {
    const size_t stop = std::min(line.find(' ', begin), line.size());
    const std::string word = line.substr(begin, stop - begin);
    begin = stop + 1;
    const int width = Columns(word);
    const bool is_last = stop == line.size();
    const int end = is_command && !is_last ? columns - 2 : columns;  // " \\"
    if (has_word && at + 1 + width > end) {
      wrapped += (is_command ? " \\\n" : "\n") + next;
      at = static_cast<int>(next.size());
    } else if (has_word) {
      wrapped += ' ';
      ++at;
    }
    wrapped += word;
    at += width;
    has_word = true;
  }
  return wrapped;
}

}  // namespace

int TerminalWidth(int fd) {
  struct winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string ClipText(const std::string& line, int columns) {
  int seen = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0) == 0x80) continue;
    if (seen++ == columns) return line.substr(0, i);
  }
  return line;
}

std::string WrapHelp(const std::string& text, int columns) {
  columns = std::max(columns, 20);
  std::string wrapped;
  bool in_example = false;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const bool is_indented = !line.empty() && line[0] == ' ';
    if (!is_indented) in_example = line == "example:";
    wrapped += WrapLine(line, columns, in_example && is_indented);
    if (end < text.size()) wrapped += '\n';
  }
  return wrapped;
}

}  // namespace t2t
