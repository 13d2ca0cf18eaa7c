#ifndef T2T_DECODE_FILE_DECODE_H_
#define T2T_DECODE_FILE_DECODE_H_

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/decode/text_decoder.h"

namespace t2t {

// The lines between delimiters. A last one that is empty is none: the text
// ended with a delimiter.
std::vector<std::string> SplitLines(std::string_view text,
                                    const std::string& delimiter);

struct FileDecodeOptions {
  std::string input;
  std::string output;
  // Names the model, its weights and what else the output depends on besides
  // the input and the decode hparams; another one than a half-done output's
  // starts it anew.
  std::string identity;
};

struct FileDecodeReport {
  int64_t lines = 0;
  int64_t resumed = 0;  // lines an earlier run had done
  int64_t bad_lines = 0;
  int64_t tokens = 0;
  double seconds = 0;
};

// Decodes a text line by line, of a file, a pipe or "-", compressed or not. An
// output file is complete or not there; the results so far are kept in
// <output>.partial, from which a run that was stopped goes on. An output that
// is no plain file is written to at the end. Empty lines stay empty; so are the
// lines that can't be encoded, which are counted and said.
FileDecodeReport DecodeFile(const FileDecodeOptions& options,
                            TextDecoder* decoder);

// T2T's --score_file: for each line "source<tab>target" (or "target" where the
// problem has no inputs) the loss a token, as in evaluation.
// A line that can't be scored has the score nan, and is said.
struct FileScores {
  std::vector<double> scores;
  int64_t bad_lines = 0;
};
FileScores ScoreFile(const std::string& path, TextDecoder* decoder);
std::string ScoresText(const std::vector<double>& scores);

// Reads lines from in until "q" or the end and writes what they decode to; a
// line of nothing decodes to nothing where the model has inputs. Commands: ns=,
// dl=, it= as T2T, and bs= (beam size), al= (alpha). Returns how many lines
// could not be decoded: out says why, and none of them ends the session.
int64_t DecodeInteractively(std::istream& in, std::ostream& out,
                            TextDecoder* decoder);

}  // namespace t2t

#endif  // T2T_DECODE_FILE_DECODE_H_
