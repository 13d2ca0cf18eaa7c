#ifndef T2T_FORMATS_LMDB_H_
#define T2T_FORMATS_LMDB_H_

#include <memory>
#include <string>

namespace t2t {

// Reads a database of LMDB (a data.mdb) from its first key to its last, by
// liblmdb, which is opened when it is first needed. Throws a DataError where
// the file is none, or is cut; a MissingError where there is no liblmdb.
class LmdbReader {
 public:
  explicit LmdbReader(const std::string& path);
  ~LmdbReader();
  LmdbReader(const LmdbReader&) = delete;
  LmdbReader& operator=(const LmdbReader&) = delete;

  // False at the end.
  bool Next(std::string* key, std::string* value);

 private:
  class Database;
  std::unique_ptr<Database> database_;
};

}  // namespace t2t

#endif  // T2T_FORMATS_LMDB_H_
