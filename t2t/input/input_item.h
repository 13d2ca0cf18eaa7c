#ifndef T2T_INPUT_INPUT_ITEM_H_
#define T2T_INPUT_INPUT_ITEM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/formats/example.h"
#include "t2t/input/batch.h"
#include "t2t/input/input.h"

namespace t2t {

// An example as the input pipeline keeps it: its features in one run of bytes,
// each number as narrow as its feature allows; or where batches are planned on
// lengths, first its record and what its lengths will be.
struct InputItem {
  // Where its record is.
  uint32_t shard = 0;
  bool is_record = false;  // what `bytes` are
  int64_t offset = 0;
  // The longest, and the sum, of the features whose length may differ.
  int64_t length = 0;
  int64_t total = 0;
  // Of "inputs" and "targets", where they are integers; -1: they are not there.
  int32_t inputs = -1;
  int32_t targets = -1;
  int64_t epoch = 0;       // in which it was read
  std::string_view bytes;  // not owned
};

// One feature inside an item's bytes.
class ItemFeature {
 public:
  // Reads the feature at *offset and moves past it; false at the end.
  bool Read(std::string_view bytes, size_t* offset);

  std::string_view name() const { return name_; }
  bool is_float() const { return kind_ == Kind::kFloat; }
  bool is_text() const { return kind_ == Kind::kText; }
  size_t count() const { return count_; }
  // The narrowest type of a batch that holds the values.
  DType type() const;
  // All count() values; T holds those of type().
  template <typename T>
  void Copy(T* to) const;
  // As it was in the example.
  Feature ToFeature() const;

 private:
  friend void AppendItem(const Example& example, std::string* bytes,
                         bool keeps_texts);
  // kBytes: those of an example, others are its integers. kText: one string.
  enum class Kind : uint8_t { kBytes, kU8, kU16, kI32, kI64, kFloat, kText };
  // The narrowest that holds them all.
  static Kind Narrowest(const std::vector<int64_t>& values);
  static size_t Width(Kind kind);

  std::string_view name_;
  Kind kind_ = Kind::kU8;
  size_t count_ = 0;
  const char* values_ = nullptr;
};

// Appends the example's features of numbers. `keeps_texts`: and those of one
// string, for a step that is still to come (an image is decoded by one that
// draws). They have no length and are in no batch.
void AppendItem(const Example& example, std::string* bytes,
                bool keeps_texts = false);

// The example of the item's features.
Example ItemExample(std::string_view bytes);

// Sets the item's lengths out of its bytes.
void MeasureItem(const InputOptions& options, InputItem* item);
// The same out of lengths, and of an example.
void MeasureLengths(const InputOptions& options, const ExampleLengths& lengths,
                    InputItem* item);
void MeasureExample(const InputOptions& options, const Example& example,
                    InputItem* item);

// True where batch_size counts examples and not tokens.
bool CountsExamples(const InputOptions& options);

// A batch of these items, padded with 0. Throws a DataError where they don't
// have the same features or one doesn't fit its fixed shape.
Batch AssembleBatch(const InputOptions& options, const InputItem* items,
                    size_t count);

// Each row of the batch holds the items of one range, one after another, with
// "<name>_segmentation" and "<name>_position". row_begins: where in items each
// row begins, and the end of the last.
Batch AssemblePackedBatch(const InputOptions& options, const InputItem* items,
                          const std::vector<size_t>& row_begins);

// The lengths of "inputs" and "targets" (those there are), for packing.
std::vector<int64_t> PackedLengths(const InputItem& item);

}  // namespace t2t

#endif  // T2T_INPUT_INPUT_ITEM_H_
