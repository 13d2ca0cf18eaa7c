#include "t2t/formats/hdf5.h"

#include <hdf5/serial/hdf5.h>

#include <map>

#include "t2t/base/error.h"
#include "t2t/formats/system_library.h"

namespace t2t {
namespace {

// So that a few bytes from outside can't take all memory.
constexpr int64_t kMostOfRow = int64_t{1} << 28;
// H5F_ACC_RDONLY, whose macro calls functions of the library.
constexpr unsigned kReadOnly = 0;

// libhdf5's functions, and its number of the type float.
struct Libhdf5 {
  decltype(::H5open)* open;
  decltype(::H5Eset_auto2)* set_messages;
  decltype(::H5Fopen)* open_file;
  decltype(::H5Fclose)* close_file;
  decltype(::H5Dopen2)* open_data;
  decltype(::H5Dclose)* close_data;
  decltype(::H5Dget_space)* space;
  decltype(::H5Dget_type)* type;
  decltype(::H5Dread)* read;
  decltype(::H5Sget_simple_extent_ndims)* dimensions;
  decltype(::H5Sget_simple_extent_dims)* sizes;
  decltype(::H5Sselect_hyperslab)* select;
  decltype(::H5Screate_simple)* make_space;
  decltype(::H5Sclose)* close_space;
  decltype(::H5Tget_size)* type_size;
  decltype(::H5Tclose)* close_type;
  hid_t* native_float;

  Libhdf5() {
    const SystemLibrary library("libhdf5_serial.so.103", "libhdf5-103-1",
                                "to read an HDF5 file");
    library.Get("H5open", &open);
    library.Get("H5Eset_auto2", &set_messages);
    library.Get("H5Fopen", &open_file);
    library.Get("H5Fclose", &close_file);
    library.Get("H5Dopen2", &open_data);
    library.Get("H5Dclose", &close_data);
    library.Get("H5Dget_space", &space);
    library.Get("H5Dget_type", &type);
    library.Get("H5Dread", &read);
    library.Get("H5Sget_simple_extent_ndims", &dimensions);
    library.Get("H5Sget_simple_extent_dims", &sizes);
    library.Get("H5Sselect_hyperslab", &select);
    library.Get("H5Screate_simple", &make_space);
    library.Get("H5Sclose", &close_space);
    library.Get("H5Tget_size", &type_size);
    library.Get("H5Tclose", &close_type);
    library.Get("H5T_NATIVE_FLOAT_g", &native_float);
    open();
    // It would print what is thrown here.
    set_messages(H5E_DEFAULT, nullptr, nullptr);
  }
};

const Libhdf5& Lib() {
  static const Libhdf5 library;
  return library;
}

}  // namespace

class Hdf5File::Open {
 public:
  explicit Open(const std::string& path)
      : path_(path),
        file_(Lib().open_file(path.c_str(), kReadOnly, H5P_DEFAULT)) {
    if (file_ < 0) throw Wrong("can't be read");
  }

  ~Open() {
    for (const auto& [name, data] : data_) Lib().close_data(data);
    Lib().close_file(file_);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  std::vector<int64_t> Shape(const std::string& name) {
    const hid_t space = Lib().space(Data(name));
    const int count = Lib().dimensions(space);
    std::vector<hsize_t> sizes(count > 0 ? static_cast<size_t>(count) : 0);
    if (count > 0) Lib().sizes(space, sizes.data(), nullptr);
    Lib().close_space(space);
    if (count <= 0) throw Wrong("has no rows in '" + name + "'");
    return {sizes.begin(), sizes.end()};
  }

  std::vector<float> Floats(const std::string& name, int64_t row) {
    std::vector<float> values(RowSize(name));
    Read(name, row, *Lib().native_float, values.data());
    return values;
  }

  std::vector<uint8_t> Bytes(const std::string& name, int64_t row) {
    std::vector<uint8_t> values(RowSize(name));
    const hid_t type = Lib().type(Data(name));
    const bool is_byte = Lib().type_size(type) == 1;
    try {
      if (!is_byte) throw Wrong("has no bytes in '" + name + "'");
      Read(name, row, type, values.data());
    } catch (...) {
      Lib().close_type(type);
      throw;
    }
    Lib().close_type(type);
    return values;
  }

 private:
  Error Wrong(const std::string& what) const {
    return DataError(path_ + " " + what, "a whole HDF5 file with its data sets",
                     "is the file cut or another one? get it again");
  }

  hid_t Data(const std::string& name) {
    const auto known = data_.find(name);
    if (known != data_.end()) return known->second;
    const hid_t data = Lib().open_data(file_, name.c_str(), H5P_DEFAULT);
    if (data < 0) throw Wrong("has no '" + name + "'");
    data_[name] = data;
    return data;
  }

  size_t RowSize(const std::string& name) {
    const std::vector<int64_t> shape = Shape(name);
    int64_t size = 1;
    for (size_t i = 1; i < shape.size(); ++i) {
      if (shape[i] <= 0 || shape[i] > kMostOfRow / size) {
        throw Wrong("has rows of no size, or too large ones, in '" + name +
                    "'");
      }
      size *= shape[i];
    }
    return static_cast<size_t>(size);
  }

  void Read(const std::string& name, int64_t row, hid_t type, void* to) {
    const std::vector<int64_t> shape = Shape(name);
    std::vector<hsize_t> begin(shape.size(), 0);
    std::vector<hsize_t> sizes(shape.begin(), shape.end());
    begin[0] = static_cast<hsize_t>(row);
    sizes[0] = 1;
    const hid_t in_file = Lib().space(Data(name));
    const hid_t in_memory =
        Lib().make_space(static_cast<int>(sizes.size()), sizes.data(), nullptr);
    const bool good =
        row >= 0 && row < shape[0] &&
        Lib().select(in_file, H5S_SELECT_SET, begin.data(), nullptr,
                     sizes.data(), nullptr) >= 0 &&
        Lib().read(Data(name), type, in_memory, in_file, H5P_DEFAULT, to) >= 0;
    Lib().close_space(in_memory);
    Lib().close_space(in_file);
    if (!good) {
      throw Wrong("can't be read at row " + std::to_string(row) + " of '" +
                  name + "'");
    }
  }

  std::string path_;
  hid_t file_;
  std::map<std::string, hid_t> data_;
};

Hdf5File::Hdf5File(const std::string& path)
    : open_(std::make_unique<Open>(path)) {}

Hdf5File::~Hdf5File() = default;

std::vector<int64_t> Hdf5File::Shape(const std::string& data_set) const {
  return open_->Shape(data_set);
}

std::vector<float> Hdf5File::Floats(const std::string& data_set,
                                    int64_t row) const {
  return open_->Floats(data_set, row);
}

std::vector<uint8_t> Hdf5File::Bytes(const std::string& data_set,
                                     int64_t row) const {
  return open_->Bytes(data_set, row);
}

}  // namespace t2t
