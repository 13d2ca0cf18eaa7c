#include "t2t/problem/line_samples.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/text/unicode.h"

namespace t2t {

Error BadLine(const FileLine& line, const std::string& what,
              const std::string& expected) {
  return DataError(TextName(line.path) + ", line " +
                       std::to_string(line.number) + " " + what,
                   expected, "is the file cut or another one? get it again");
}

std::vector<std::string> Columns(const FileLine& line, size_t at_least) {
  std::vector<std::string> columns = Split(line.text, '\t');
  if (columns.size() >= at_least) return columns;
  throw BadLine(line,
                "has " + Count(static_cast<int64_t>(columns.size()), "column"),
                std::to_string(at_least) + " or more, with tabs between them");
}

int64_t LabelIndex(const FileLine& line, const std::string& label,
                   const std::vector<std::string>& labels) {
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found == labels.end()) {
    throw BadLine(line, "has the label '" + label + "'",
                  "one of " + Join(labels, ", "));
  }
  return found - labels.begin();
}

NextExample SamplesOfGroups(
    std::function<bool(std::vector<Example>* samples)> more) {
  struct State {
    std::vector<Example> samples;
    size_t next = 0;
  };
  auto state = std::make_shared<State>();
  return [state, more = std::move(more)](Example* example) {
    while (state->next == state->samples.size()) {
      state->samples.clear();
      state->next = 0;
      if (!more(&state->samples)) return false;
    }
    *example = std::move(state->samples[state->next++]);
    return true;
  };
}

NextExample SamplesOfLines(std::vector<std::string> paths, MakeOfLine make) {
  struct State {
    std::vector<std::string> paths;
    size_t next = 0;
    std::optional<LineReader> lines;
    FileLine line;
  };
  auto state = std::make_shared<State>();
  state->paths = std::move(paths);
  return SamplesOfGroups(
      [state, make = std::move(make)](std::vector<Example>* samples) {
        if (!state->lines) {
          if (state->next == state->paths.size()) return false;
          state->line.path = state->paths[state->next++];
          state->line.number = 0;
          state->lines.emplace(state->line.path);
        }
        std::string text;
        if (!state->lines->Next(&text)) {
          state->lines.reset();
          return true;
        }
        ++state->line.number;
        state->line.text = std::string(StripPythonSpace(text));
        make(state->line, samples);
        return true;
      });
}

NextExample SamplesOfFiles(std::vector<std::string> paths, MakeOfFile make) {
  return SamplesOfGroups(
      [paths = std::move(paths), make = std::move(make),
       next = size_t{0}](std::vector<Example>* samples) mutable {
        if (next == paths.size()) return false;
        make(paths[next++], samples);
        return true;
      });
}

std::string OneSpaced(const std::string& text) {
  std::string joined;
  for (const std::string_view word : SplitPythonSpace(text)) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  return joined;
}

}  // namespace t2t
