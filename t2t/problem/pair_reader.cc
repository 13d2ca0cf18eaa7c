#include "t2t/problem/pair_reader.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/sgml.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/clean_pairs.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// A line without a tab is no row, as in T2T.
class ColumnReader {
 public:
  ColumnReader(const std::string& path, int column, int other)
      : path_(path),
        lines_(path),
        column_(static_cast<size_t>(column)),
        columns_(static_cast<size_t>(std::max(column, other)) + 1) {}

  bool Next(std::string* text) {
    for (std::string line; lines_.Next(&line);) {
      ++line_;
      if (line.find('\t') == std::string::npos) continue;
      std::vector<std::string> columns = Split(line, '\t');
      if (columns.size() < columns_) {
        throw DataError(
            TextName(path_) + ", line " + std::to_string(line_) + " has " +
                Count(static_cast<int64_t>(columns.size()), "column"),
            std::to_string(columns_) + " or more, with tabs between them",
            "is the file cut? get it again");
      }
      *text = std::move(columns[column_]);
      return true;
    }
    return false;
  }

 private:
  std::string path_;
  LineReader lines_;
  size_t column_, columns_;
  int64_t line_ = 0;
};

// Every second <seg> of its own line; as T2T reads ParaCrawl's files.
class TmxReader {
 public:
  TmxReader(const std::string& path, bool targets)
      : lines_(path), skip_(targets) {}

  bool Next(std::string* text) {
    constexpr std::string_view kBegin = "<seg>";
    constexpr std::string_view kEnd = "</seg>";
    for (std::string line; lines_.Next(&line);) {
      std::string_view segment = line;
      if (EndsWith(segment, "\r")) segment.remove_suffix(1);
      const size_t spaces = segment.find_first_not_of(' ');
      if (spaces == std::string_view::npos || spaces == 0) continue;
      segment.remove_prefix(spaces);
      if (!StartsWith(segment, kBegin) || !EndsWith(segment, kEnd)) continue;
      skip_ = !skip_;
      if (!skip_) continue;
      segment.remove_prefix(kBegin.size());
      segment.remove_suffix(kEnd.size());
      *text = WithoutEntities(std::string(segment));
      return true;
    }
    return false;
  }

 private:
  static std::string WithoutEntities(std::string text) {
    using Entity = std::pair<std::string, std::string>;
    static const auto& entities = *new std::array<Entity, 10>{
        Entity{"&amp;", "&"},   Entity{"& amp;", "&"},  Entity{"&apos;", "'"},
        Entity{"& apos;", "'"}, Entity{"&quot;", "\""}, Entity{"& quot;", "\""},
        Entity{"&lt;", "<"},    Entity{"& lt;", "<"},   Entity{"&gt;", ">"},
        Entity{"& gt;", ">"}};
    text = ReplaceAll(std::move(text), "&amp;", "&");
    for (const auto& [entity, character] : entities) {
      text = ReplaceAll(std::move(text), entity, character);
    }
    return text;
  }

  LineReader lines_;
  bool skip_;
};

template <typename Reader>
NextText Stripped(std::shared_ptr<Reader> reader) {
  return [reader = std::move(reader)](std::string* text) {
    if (!reader->Next(text)) return false;
    const std::string_view stripped = StripPythonSpace(*text);
    if (stripped.size() != text->size()) *text = std::string(stripped);
    return true;
  };
}

bool HasBothSides(CorpusReader reader) {
  return reader == CorpusReader::kTsv || reader == CorpusReader::kTmx;
}

}  // namespace

NextText OpenSide(const TextFiles& files, bool targets) {
  const std::string& path = targets ? files.targets : files.inputs;
  switch (files.reader) {
    case CorpusReader::kSgml:
      return Stripped(std::make_shared<SegmentReader>(path));
    case CorpusReader::kTsv: {
      const int column = targets ? files.target_column : files.source_column;
      const int other = targets ? files.source_column : files.target_column;
      return Stripped(std::make_shared<ColumnReader>(path, column, other));
    }
    case CorpusReader::kTmx:
      return Stripped(std::make_shared<TmxReader>(path, targets));
    default:
      return Stripped(std::make_shared<LineReader>(path));
  }
}

std::vector<TextFiles> FilesOf(const FoundCorpus& corpus) {
  const Corpus& row = corpus.use->corpus;
  const bool both = HasBothSides(row.reader);
  std::vector<TextFiles> files;
  for (size_t i = 0; i + (both ? 0 : 1) < corpus.paths.size();
       i += both ? 1 : 2) {
    files.push_back({corpus.paths[i], corpus.paths[both ? i : i + 1],
                     row.reader, row.source_column, row.target_column,
                     corpus.use->clean});
  }
  return files;
}

bool PairReader::Next(TextSample* sample) {
  for (;;) {
    if (!cleaned_.empty()) {
      *sample = std::move(cleaned_.front());
      cleaned_.pop_front();
      return true;
    }
    if (inputs_ == nullptr) {
      if (next_ == files_.size()) return false;
      inputs_ = OpenSide(files_[next_], /*targets=*/false);
      targets_ = OpenSide(files_[next_], /*targets=*/true);
      ++next_;
    }
    if (!inputs_(&sample->inputs) || !targets_(&sample->targets)) {
      inputs_ = nullptr;
      continue;
    }
    if (drop_empty_ && (sample->inputs.empty() || sample->targets.empty())) {
      continue;
    }
    if (!files_[next_ - 1].clean) return true;
    for (auto& [english, other] : CleanPairs(sample->inputs, sample->targets)) {
      cleaned_.push_back({std::move(english), std::move(other)});
    }
  }
}

}  // namespace t2t
