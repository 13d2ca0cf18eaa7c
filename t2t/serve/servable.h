#ifndef T2T_SERVE_SERVABLE_H_
#define T2T_SERVE_SERVABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// What a model says to one row: hypotheses, best first.
struct Prediction {
  struct Hypothesis {
    std::vector<int64_t> ids;
    float score = 0;
  };
  std::vector<Hypothesis> hypotheses;
};

// Where a model looks in its input while it says each symbol of its output.
struct AttentionWeights {
  std::vector<std::string> inputs;   // the input's symbols
  std::vector<std::string> outputs;  // the output's
  int64_t layers = 0;
  int64_t heads = 0;
  std::vector<float> weights;  // [layers, heads, outputs, inputs]
};

// A loaded model, as the server sees it. May be called by several threads at
// once.
class Servable {
 public:
  using Ids = std::vector<int64_t>;
  // Whether nobody waits for a row any more.
  using IsGone = std::function<bool(size_t row)>;

  virtual ~Servable() = default;

  // "transformer on translate_ende_multi30k"
  virtual std::string Description() const = 0;
  // A text's ids as Predict() takes them; none where nothing is to be said.
  virtual Ids Encode(std::string_view text) const = 0;
  // The same of a serialized tf.Example; none where it has nothing but the end
  // symbol. Throws a DataError where it is no Example, or its ids can't be the
  // model's.
  virtual Ids EncodeExample(std::string_view bytes) const = 0;
  virtual std::string Decode(const Ids& ids) const = 0;
  // One prediction a row; an empty one for a row that is_gone (may be empty)
  // names on the way, which is not computed any further.
  virtual std::vector<Prediction> Predict(const std::vector<Ids>& rows,
                                          const IsGone& is_gone) = 0;
  // Given the output; nothing where the model has no such weights.
  virtual std::optional<AttentionWeights> Attend(const Ids& input,
                                                 const Ids& output) const {
    return std::nullopt;
  }
  // Whether an answer is the id of a class: then nothing has no answer that
  // could be told from class 0.
  virtual bool gives_class() const { return false; }
  // Hypotheses a row, where T2T's export has an axis for them; else 0 (one).
  virtual int64_t beams() const { return 0; }
  // The type of T2T's outputs: beam search gives int32, the rest int64.
  virtual bool gives_int32() const { return true; }
};

}  // namespace t2t

#endif  // T2T_SERVE_SERVABLE_H_
