#ifndef T2T_SERVE_PROTO_WIRE_H_
#define T2T_SERVE_PROTO_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace t2t {

// Protocol buffers' wire format, as far as serving needs it. All throw a
// DataError where the bytes are damaged.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  // Moves to the next field, past the last one's value if that was not read;
  // false at the end.
  bool Next();
  uint32_t field() const { return field_; }

  uint64_t Varint();
  std::string_view Bytes();
  int64_t Int64() { return static_cast<int64_t>(Varint()); }
  std::string String() { return std::string(Bytes()); }
  // A repeated number is one value or, packed, all of them.
  template <typename Function>
  void EachVarint(Function function) {
    if (type_ != 2) return function(Varint());
    ProtoReader packed(Bytes());
    while (!packed.bytes_.empty()) function(packed.RawVarint());
  }
  template <typename Function>
  void EachFloat(Function function) {
    if (type_ != 2) return function(ToFloat(Fixed(4)));
    std::string_view packed = Bytes();
    for (; packed.size() >= 4; packed.remove_prefix(4)) {
      function(ToFloat(packed));
    }
    if (!packed.empty()) Fail();
  }

 private:
  [[noreturn]] static void Fail();
  static float ToFloat(std::string_view bytes);
  uint64_t RawVarint();
  std::string_view Fixed(size_t size);
  void Expect(int type);
  void Skip();

  std::string_view bytes_;
  uint32_t field_ = 0;
  int type_ = -1;  // of the value that is to be read; -1: it is read
};

class ProtoWriter {
 public:
  void Int64(uint32_t field, int64_t value);
  void Bytes(uint32_t field, std::string_view value);
  // Entry of a map<string, message>.
  void MapEntry(uint32_t field, std::string_view key, std::string_view value);
  // For packed numbers.
  static void AppendVarint(uint64_t value, std::string* bytes);
  static void AppendFloat(float value, std::string* bytes);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace t2t

#endif  // T2T_SERVE_PROTO_WIRE_H_
