#include "t2t/formats/lmdb.h"

#include <lmdb.h>

#include <cstdint>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/system_library.h"

namespace t2t {
namespace {

// liblmdb's functions.
struct Liblmdb {
  decltype(::mdb_strerror)* error;
  decltype(::mdb_env_create)* create;
  decltype(::mdb_env_open)* open;
  decltype(::mdb_env_close)* close;
  decltype(::mdb_env_info)* info;
  decltype(::mdb_env_stat)* stat;
  decltype(::mdb_txn_begin)* begin;
  decltype(::mdb_txn_abort)* abort;
  decltype(::mdb_dbi_open)* open_table;
  decltype(::mdb_cursor_open)* open_cursor;
  decltype(::mdb_cursor_close)* close_cursor;
  decltype(::mdb_cursor_get)* get;

  Liblmdb() {
    const SystemLibrary library("liblmdb.so.0", "liblmdb0",
                                "to read a database of LMDB");
    library.Get("mdb_strerror", &error);
    library.Get("mdb_env_create", &create);
    library.Get("mdb_env_open", &open);
    library.Get("mdb_env_close", &close);
    library.Get("mdb_env_info", &info);
    library.Get("mdb_env_stat", &stat);
    library.Get("mdb_txn_begin", &begin);
    library.Get("mdb_txn_abort", &abort);
    library.Get("mdb_dbi_open", &open_table);
    library.Get("mdb_cursor_open", &open_cursor);
    library.Get("mdb_cursor_close", &close_cursor);
    library.Get("mdb_cursor_get", &get);
  }
};

const Liblmdb& Lib() {
  static const Liblmdb library;
  return library;
}

constexpr mdb_mode_t kMode = 0644;

}  // namespace

class LmdbReader::Database {
 public:
  explicit Database(const std::string& path) : path_(path) {
    Check(Lib().create(&env_));
    try {
      Open();
    } catch (...) {
      Close();
      throw;
    }
  }
  ~Database() { Close(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool Next(std::string* key, std::string* value) {
    MDB_val found_key;
    MDB_val found;
    const int code = Lib().get(cursor_, &found_key, &found, MDB_NEXT);
    if (code == MDB_NOTFOUND) return false;
    Check(code);
    key->assign(static_cast<const char*>(found_key.mv_data), found_key.mv_size);
    value->assign(static_cast<const char*>(found.mv_data), found.mv_size);
    return true;
  }

 private:
  void Open() {
    // The file alone, with no lock beside it.
    Check(Lib().open(env_, path_.c_str(),
                     MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK, kMode));
    CheckSize();
    Check(Lib().begin(env_, nullptr, MDB_RDONLY, &transaction_));
    MDB_dbi table;
    Check(Lib().open_table(transaction_, nullptr, 0, &table));
    Check(Lib().open_cursor(transaction_, table, &cursor_));
  }

  // A page that isn't there would end the process.
  void CheckSize() const {
    MDB_envinfo info;
    MDB_stat stat;
    Check(Lib().info(env_, &info));
    Check(Lib().stat(env_, &stat));
    const RandomAccessFile file(path_);
    const auto pages = static_cast<uint64_t>(file.size()) / stat.ms_psize;
    if (info.me_last_pgno < pages) return;
    throw DataError(
        path_ + " is cut: it has " + std::to_string(pages) + " pages",
        std::to_string(info.me_last_pgno + 1), "get it again");
  }

  void Check(int code) const {
    if (code == MDB_SUCCESS) return;
    throw DataError("can't read " + path_ + ": " + Lib().error(code),
                    "a database of LMDB", "get it again");
  }

  void Close() {
    if (cursor_ != nullptr) Lib().close_cursor(cursor_);
    if (transaction_ != nullptr) Lib().abort(transaction_);
    if (env_ != nullptr) Lib().close(env_);
  }

  std::string path_;
  MDB_env* env_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
};

LmdbReader::LmdbReader(const std::string& path)
    : database_(std::make_unique<Database>(path)) {}

LmdbReader::~LmdbReader() = default;

bool LmdbReader::Next(std::string* key, std::string* value) {
  return database_->Next(key, value);
}

}  // namespace t2t
