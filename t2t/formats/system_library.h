#ifndef T2T_FORMATS_SYSTEM_LIBRARY_H_
#define T2T_FORMATS_SYSTEM_LIBRARY_H_

#include <string>

namespace t2t {

// A library of the system that is opened when it is first needed, and not
// linked: one that loads 30 others would cost every program its start.
class SystemLibrary {
 public:
  // "libcurl.so.4", of the Debian package "libcurl4". Throws a MissingError
  // where it can't be opened; needed_for: "to download".
  SystemLibrary(const std::string& file, const std::string& package,
                const std::string& needed_for);

  // Sets *function to that of this name.
  template <typename Function>
  void Get(const char* name, Function** function) const {
    *function = reinterpret_cast<Function*>(Symbol(name));
  }

 private:
  void* Symbol(const char* name) const;

  std::string file_;
  void* handle_;  // never closed
};

}  // namespace t2t

#endif  // T2T_FORMATS_SYSTEM_LIBRARY_H_
