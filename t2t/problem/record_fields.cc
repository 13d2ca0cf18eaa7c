#include "t2t/problem/record_fields.h"

#include <utility>

namespace t2t {

Step RenameFields(const FieldNames& names) {
  return {.name = "rename fields",
          .run =
              [names](Example* example, const StepContext&) {
                Example taken;
                for (const auto& [from, to] : names) {
                  const auto found = example->features.find(from);
                  if (found == example->features.end()) continue;
                  taken.features[to] = std::move(found->second);
                }
                *example = std::move(taken);
                return true;
              },
          .lengths = [names](Mode, const HParams&) -> LengthsStep {
            return [names](ExampleLengths* lengths) {
              ExampleLengths taken;
              for (const auto& [from, to] : names) {
                const FeatureLength* const found = lengths->Find(from);
                if (found != nullptr) taken.Set(to, found->kind, found->count);
              }
              *lengths = std::move(taken);
              return true;
            };
          }};
}

Step Drop(const std::string& feature) {
  return {.name = "drop " + feature,
          .run =
              [feature](Example* example, const StepContext&) {
                example->features.erase(feature);
                return true;
              },
          .lengths = [feature](Mode, const HParams&) -> LengthsStep {
            return [feature](ExampleLengths* lengths) {
              lengths->Erase(feature);
              return true;
            };
          }};
}

Regroup WriteAs(const std::string& feature, const std::string& field) {
  return [=](NextExample encoded, uint64_t /*seed*/) -> NextExample {
    return [=, encoded = std::move(encoded)](Example* example) {
      if (!encoded(example)) return false;
      auto ids = example->features.extract(feature);
      ids.key() = field;
      example->features.insert(std::move(ids));
      return true;
    };
  };
}

}  // namespace t2t
