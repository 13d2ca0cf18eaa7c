#ifndef T2T_BASE_OUTPUT_FILE_H_
#define T2T_BASE_OUTPUT_FILE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/fs.h"

namespace t2t {

// Where an output goes that a person names.
struct OutputPlace {
  enum class Kind {
    kFile,        // a plain file, there or not
    kDevice,      // a pipe, a terminal, /dev/null, ...
    kDescriptor,  // what this process has open: "-", /dev/stdout, /dev/fd/63
  };
  Kind kind = Kind::kFile;
  // As a person would name it; of a file, with all links followed.
  std::string path;
  int descriptor = -1;

  bool is_file() const { return kind == Kind::kFile; }
};

// Follows links. Throws where that can't be written to: a folder, a folder that
// is not there or that takes no files, a file that is write-protected; so that
// it's said before any work. With make_folder, makes the file's folder where it
// is not there.
OutputPlace FindOutput(const std::string& path, bool make_folder = false);

// Throws where the output is one of the inputs, under whatever name: writing it
// would destroy them. Inputs that are no plain files, or not there, are nothing
// that could be destroyed.
void CheckOutputIsNoInput(const OutputPlace& output,
                          const std::vector<std::string>& inputs);

// Writes an output that a person names. A file is complete or not there; a
// pipe, a device or a descriptor is written to as it is and never replaced.
class OutputFile {
 public:
  // Opens it, which waits for a named pipe's reader. A file's temporary appears
  // with the first Write().
  explicit OutputFile(OutputPlace place);
  explicit OutputFile(const std::string& path) : OutputFile(FindOutput(path)) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void Write(std::string_view text);
  // To be called at the end.
  void Commit();

 private:
  void Flush();

  const OutputPlace place_;
  std::unique_ptr<AtomicWriter> file_;
  int fd_ = -1;
  std::string buffer_;
};

// All of it at once.
void WriteOutput(const OutputPlace& place, std::string_view text);

}  // namespace t2t

#endif  // T2T_BASE_OUTPUT_FILE_H_
