#ifndef T2T_BASE_JSON_H_
#define T2T_BASE_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace t2t {

// A JSON value. Objects keep the order of their members.
class Json {
 public:
  enum class Type { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

  Json() = default;
  Json(bool value) : type_(Type::kBool), bool_(value) {}        // NOLINT
  Json(int value) : type_(Type::kInt), int_(value) {}           // NOLINT
  Json(int64_t value) : type_(Type::kInt), int_(value) {}       // NOLINT
  Json(double value) : type_(Type::kDouble), double_(value) {}  // NOLINT
  Json(std::string value)                                       // NOLINT
      : type_(Type::kString), string_(std::move(value)) {}
  Json(const char* value) : type_(Type::kString), string_(value) {}  // NOLINT

  static Json Array() { return Json(Type::kArray); }
  static Json Object() { return Json(Type::kObject); }

  // Strict (RFC 8259); throws a DataError naming the place. NaN, Infinity and
  // -Infinity are read too, since Python writes them. Depth limit 200.
  static Json Parse(std::string_view text);

  // indent < 0: one line.
  std::string ToString(int indent = -1) const;

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }
  bool is_bool() const { return type_ == Type::kBool; }
  bool is_int() const { return type_ == Type::kInt; }
  // A whole number in the text, kept as the double next to it.
  bool is_beyond_int64() const { return beyond_int64_; }
  bool is_number() const { return is_int() || type_ == Type::kDouble; }

  // Each throws a DataError where the value has another type.
  bool AsBool() const;
  int64_t AsInt() const;
  double AsDouble() const;  // an int too
  const std::string& AsString() const;
  const std::vector<Json>& items() const;
  const std::vector<std::pair<std::string, Json>>& members() const;

  // nullptr where absent.
  const Json* Find(std::string_view key) const;
  // Throws a DataError where absent.
  const Json& At(std::string_view key) const;

  void Append(Json value);
  void Set(const std::string& key, Json value);
  // The same for a key that isn't there yet; doesn't look for it.
  void Add(std::string key, Json value);

 private:
  friend class JsonParser;

  explicit Json(Type type) : type_(type) {}

  Type type_ = Type::kNull;
  bool bool_ = false;
  bool beyond_int64_ = false;
  int64_t int_ = 0;
  double double_ = 0;
  std::string string_;
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace t2t

#endif  // T2T_BASE_JSON_H_
