#ifndef T2T_DECODE_PARTIAL_FILE_H_
#define T2T_DECODE_PARTIAL_FILE_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/output_file.h"

namespace t2t {

// Results by number, kept as they come, so that a run that was killed goes on
// where it was. Every record carries a checksum; what a kill or a full disk
// left half-written at the end is cut off on opening. One process at a time.
class PartialFile {
 public:
  // Goes on with the file at path where its fingerprint is the same; else
  // starts it anew. "": keeps the results in memory alone.
  PartialFile(std::string path, const std::string& fingerprint);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::map<int64_t, std::string>& results() const { return results_; }
  bool Has(int64_t number) const { return results_.count(number) > 0; }
  void Add(int64_t number, std::string text);
  // Hands the records to the system; from here on a killed process loses
  // none of them.
  void Flush();
  // Closes and removes the file.
  void Remove();

 private:
  void Write(std::string_view bytes);

  std::string path_;
  std::FILE* file_ = nullptr;
  std::map<int64_t, std::string> results_;
};

// Behind an output's name: the results that were kept so far.
inline constexpr char kPartialSuffix[] = ".partial";

// Throws where the output, or what is kept beside it, would take the place of
// an input.
void CheckDecodeOutput(const OutputPlace& output,
                       const std::vector<std::string>& inputs);

}  // namespace t2t

#endif  // T2T_DECODE_PARTIAL_FILE_H_
