#ifndef T2T_FORMATS_HDF5_H_
#define T2T_FORMATS_HDF5_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace t2t {

// The data sets of an HDF5 file, row by row (the values with one first index),
// by libhdf5, which is opened when it is first needed. For one thread. Throws a
// DataError where the file is none, is cut, or lacks what is asked for; a
// MissingError where there is no libhdf5.
class Hdf5File {
 public:
  explicit Hdf5File(const std::string& path);
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  // Rows first.
  std::vector<int64_t> Shape(const std::string& data_set) const;
  // The values of a row, in order: numbers of any type, and what takes a byte
  // each (h5py's bools).
  std::vector<float> Floats(const std::string& data_set, int64_t row) const;
  std::vector<uint8_t> Bytes(const std::string& data_set, int64_t row) const;

 private:
  class Open;
  std::unique_ptr<Open> open_;
};

}  // namespace t2t

#endif  // T2T_FORMATS_HDF5_H_
