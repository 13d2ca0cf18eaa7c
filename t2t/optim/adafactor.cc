#include "t2t/optim/adafactor.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/optimizer_kernels.h"
#include "t2t/optim/flush_tiny.h"

namespace t2t {
namespace {

constexpr int64_t kBlockSize = 1 << 14;
constexpr double kEpsilon2 = 1e-3;
constexpr char kRowMeans[] = "adafactor_vr";
constexpr char kColumnMeans[] = "adafactor_vc";
constexpr char kUnfactored[] = "adafactor_v";
constexpr char kMomentum[] = "adafactor_m";

std::string StateKey(const char* slot, const std::string& name) {
  return std::string(slot) + "/" + name;
}

}  // namespace

std::optional<int64_t> AdafactorMeansOver(const std::string& slot,
                                          int64_t dims) {
  if (slot == kRowMeans) return dims - 1;
  if (slot == kColumnMeans) return dims - 2;
  return std::nullopt;
}

std::vector<int64_t> T2TRowBounds(const HParams& hparams,
                                  const std::string& name, int64_t rows) {
  constexpr char kShards[] = "symbol_modality_num_shards";
  int64_t shards = 1;
  if (hparams.Has(kShards) && EndsWith(name, "/weights") &&
      name.find("symbol_modality_") != std::string::npos) {
    shards = std::max<int64_t>(1, hparams.GetInt(kShards));
  }
  // The first ones have a row more where it does not come out even.
  std::vector<int64_t> bounds = {0};
  for (int64_t i = 0; i < shards; ++i) {
    bounds.push_back(bounds.back() + rows / shards +
                     (i < rows % shards ? 1 : 0));
  }
  return bounds;
}

Adafactor::Adafactor(const HParams& hparams,
                     std::vector<NamedTensor> parameters)
    : Optimizer(hparams, std::move(parameters)),
      beta1_(hparams.GetDouble("optimizer_adafactor_beta1")),
      beta2_(hparams.GetDouble("optimizer_adafactor_beta2")),
      exponent_(hparams.GetDouble("optimizer_adafactor_memory_exponent")),
      clipping_(hparams.GetDouble("optimizer_adafactor_clipping_threshold")),
      by_parameter_scale_(
          hparams.GetBool("optimizer_adafactor_multiply_by_parameter_scale")) {
  const std::string& decay =
      hparams.GetString("optimizer_adafactor_decay_type");
  if (decay != "adam" && decay != "pow") {
    throw UsageError("hparam optimizer_adafactor_decay_type=" + decay,
                     "adam or pow");
  }
  adam_decay_ = decay == "adam";
  factored_ = hparams.GetBool("optimizer_adafactor_factored");
  for (const NamedTensor& parameter : this->parameters()) {
    std::vector<int64_t> shape = parameter.tensor.sizes().vec();
    const auto dims = static_cast<int64_t>(shape.size());
    const auto add = [&](const char* slot, at::IntArrayRef sizes) {
      AddState(StateKey(slot, parameter.name), at::zeros(sizes, at::kFloat));
    };
    if (beta1_ != 0) add(kMomentum, shape);
    if (parameter.tensor.numel() == 0) continue;
    if (!factored_ || dims < 2) {
      add(kUnfactored, shape);
      continue;
    }
    for (const char* const slot : {kRowMeans, kColumnMeans}) {
      std::vector<int64_t> sizes = shape;
      sizes.erase(sizes.begin() + *AdafactorMeansOver(slot, dims));
      if (slot == kColumnMeans && dims == 2) {
        const auto variables = static_cast<int64_t>(
            T2TRowBounds(hparams, parameter.name, shape[0]).size() - 1);
        if (variables > 1) sizes.insert(sizes.begin(), variables);
      }
      add(slot, sizes);
    }
  }
  MakeMatrices();
}

void Adafactor::AddMatrix(const MatrixState& state, int64_t begin, int64_t rows,
                          int64_t columns, Matrix matrix) {
  matrix.variable = variables_.size() - 1;
  matrix.begin = begin;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.m = state.m == nullptr ? nullptr : state.m + begin;
  if (matrix.factored) {
    matrix.row_factors.assign(static_cast<size_t>(rows), 0);
    matrix.column_factors.assign(static_cast<size_t>(columns), 0);
  } else {
    matrix.v = state.v + begin;
  }
  matrices_.push_back(std::move(matrix));
}

void Adafactor::AddMatrices(size_t parameter) {
  const NamedTensor& own = parameters()[parameter];
  const std::vector<int64_t> shape = own.tensor.sizes().vec();
  const auto& shard = ShardOf(parameter);
  const std::vector<int64_t> whole = shard ? shard->shape : shape;
  const auto find = [&](bool kept, const char* slot) {
    return kept ? StateOf(StateKey(slot, own.name)).mutable_data_ptr<float>()
                : nullptr;
  };
  const int64_t size = own.tensor.numel();
  Matrix matrix{};
  matrix.parameter = parameter;
  matrix.factored = factored_ && shape.size() >= 2;
  MatrixState state;
  state.m = find(beta1_ != 0, kMomentum);
  if (size == 0) return;
  state.v = find(!matrix.factored, kUnfactored);
  state.vr = find(matrix.factored, kRowMeans);
  state.vc = find(matrix.factored, kColumnMeans);
  if (shape.size() == 2) {
    AddRows(state, matrix);
    return;
  }
  variables_.push_back({parameter, c10::multiply_integers(whole)});
  if (!matrix.factored) {
    AddMatrix(state, 0, size, 1, matrix);
    return;
  }
  const int64_t columns = shape.back();
  const int64_t rows = shape[shape.size() - 2];
  matrix.whole_columns = whole.back();
  matrix.whole_rows = whole[whole.size() - 2];
  for (int64_t k = 0; k < size / (rows * columns); ++k) {
    matrix.vr = state.vr + k * rows;
    matrix.vc = state.vc + k * columns;
    AddMatrix(state, k * rows * columns, rows, columns, matrix);
  }
}

void Adafactor::AddRows(const MatrixState& state, Matrix matrix) {
  const NamedTensor& own = parameters()[matrix.parameter];
  const std::vector<int64_t> shape = own.tensor.sizes().vec();
  const auto& shard = ShardOf(matrix.parameter);
  const std::vector<int64_t> whole = shard ? shard->shape : shape;
  const std::vector<int64_t> bounds =
      T2TRowBounds(hparams(), own.name, whole[0]);
  const int64_t first = shard && shard->dim == 0 ? shard->begin : 0;
  const int64_t columns = shape[1];
  matrix.whole_columns = whole[1];
  for (size_t k = 0; k + 1 < bounds.size(); ++k) {
    matrix.whole_rows = bounds[k + 1] - bounds[k];
    if (matrix.whole_rows == 0) continue;
    variables_.push_back({matrix.parameter, matrix.whole_rows * whole[1]});
    const int64_t begin = std::clamp(bounds[k] - first, int64_t{0}, shape[0]);
    const int64_t end = std::clamp(bounds[k + 1] - first, int64_t{0}, shape[0]);
    if (!matrix.factored) {
      AddMatrix(state, begin * columns, (end - begin) * columns, 1, matrix);
      continue;
    }
    matrix.vr = state.vr + begin;
    matrix.vc = state.vc + static_cast<int64_t>(k) * columns;
    AddMatrix(state, begin * columns, end - begin, columns, matrix);
  }
}

void Adafactor::MakeMatrices() {
  variables_.clear();
  matrices_.clear();
  blocks_.clear();
  for (size_t i = 0; i < parameters().size(); ++i) AddMatrices(i);
  size_t column_sums = 0;
  for (size_t i = 0; i < matrices_.size(); ++i) {
    const Matrix& matrix = matrices_[i];
    const int64_t step = std::max<int64_t>(1, kBlockSize / matrix.columns);
    for (int64_t row = 0; row < matrix.rows; row += step) {
      blocks_.push_back(
          {i, row, std::min(step, matrix.rows - row), column_sums, 0, 0});
      if (matrix.factored) column_sums += matrix.columns;
    }
  }
  column_sums_.resize(column_sums);
}

void Adafactor::ForBlocks(const std::function<void(Block*, Matrix*)>& body) {
  at::parallel_for(0, static_cast<int64_t>(blocks_.size()), 1,
                   [&](int64_t begin, int64_t end) {
                     const FlushTinyNumbers flush;
                     for (int64_t i = begin; i < end; ++i) {
                       Matrix* const matrix = &matrices_[blocks_[i].matrix];
                       if (HasGradient(matrix->parameter)) {
                         body(&blocks_[i], matrix);
                       }
                     }
                   });
}

RowsTerms Adafactor::TermsOf(const Block& block, const Matrix& matrix) const {
  return {
      GradientAt(matrix.parameter, matrix.begin + block.row * matrix.columns),
      block.rows, matrix.columns};
}

int64_t Adafactor::SplitSide(const Matrix& matrix) const {
  const auto& shard = ShardOf(matrix.parameter);
  if (!shard || !matrix.factored) return 0;
  const int64_t side = static_cast<int64_t>(shard->shape.size()) - shard->dim;
  return side <= 2 ? side : 0;
}

void Adafactor::SumColumns() {
  size_t block = 0;
  for (size_t i = 0; i < matrices_.size(); ++i) {
    Matrix& matrix = matrices_[i];
    std::vector<float>& columns = matrix.column_factors;
    std::fill(columns.begin(), columns.end(), 0.0F);
    for (; block < blocks_.size() && blocks_[block].matrix == i; ++block) {
      if (!matrix.factored) continue;
      const float* const sums = &column_sums_[blocks_[block].column_sums];
      for (size_t c = 0; c < columns.size(); ++c) columns[c] += sums[c];
    }
  }
}

void Adafactor::SumOfVariables(std::vector<double>* numbers) const {
  if (shards() == nullptr) return;
  const at::Tensor sums =
      at::zeros(static_cast<int64_t>(numbers->size()), at::kDouble);
  double* const data = sums.mutable_data_ptr<double>();
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (ShardOf(variables_[i].parameter)) data[i] = (*numbers)[i];
  }
  shards()->Sum(sums);
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (ShardOf(variables_[i].parameter)) (*numbers)[i] = data[i];
  }
}

void Adafactor::SumSplitMatrices() {
  if (shards() == nullptr) return;
  // A matrix split along its rows lacks the other ranks' in its sums of
  // columns, and the other way round.
  std::vector<std::vector<float>*> lists;
  int64_t size = 0;
  for (Matrix& matrix : matrices_) {
    const int64_t side = SplitSide(matrix);
    if (side == 0 || !HasGradient(matrix.parameter)) continue;
    lists.push_back(side == 2 ? &matrix.column_factors : &matrix.row_factors);
    size += static_cast<int64_t>(lists.back()->size());
  }
  const at::Tensor sums = at::empty(size, at::kDouble);
  double* const data = sums.mutable_data_ptr<double>();
  double* next = data;
  for (const auto* list : lists) {
    next = std::copy(list->begin(), list->end(), next);
  }
  shards()->Sum(sums);
  next = data;
  for (auto* list : lists) {
    for (float& number : *list) number = static_cast<float>(*next++);
  }
}

void Adafactor::UpdateMeans(double decay) {
  const float keep = static_cast<float>(decay);
  const float rest = static_cast<float>(1.0 - decay);
  SumColumns();
  SumSplitMatrices();
  std::vector<double> row_sums(matrices_.size(), 0.0);
  std::vector<size_t> split_rows;
  for (size_t i = 0; i < matrices_.size(); ++i) {
    Matrix& matrix = matrices_[i];
    if (!matrix.factored || !HasGradient(matrix.parameter)) continue;
    const float columns = static_cast<float>(matrix.whole_columns);
    for (int64_t r = 0; r < matrix.rows; ++r) {
      matrix.vr[r] =
          matrix.vr[r] * keep + matrix.row_factors[r] / columns * rest;
      row_sums[i] += matrix.vr[r];
    }
    if (SplitSide(matrix) == 2) split_rows.push_back(i);
  }
  if (shards() != nullptr) {
    const at::Tensor sums =
        at::empty(static_cast<int64_t>(split_rows.size()), at::kDouble);
    double* const data = sums.mutable_data_ptr<double>();
    for (size_t i = 0; i < split_rows.size(); ++i) {
      data[i] = row_sums[split_rows[i]];
    }
    shards()->Sum(sums);
    for (size_t i = 0; i < split_rows.size(); ++i) {
      row_sums[split_rows[i]] = data[i];
    }
  }
  for (size_t i = 0; i < matrices_.size(); ++i) {
    Matrix& matrix = matrices_[i];
    std::vector<float>& columns = matrix.column_factors;
    if (!matrix.factored || !HasGradient(matrix.parameter)) continue;
    const double row_mean =
        row_sums[i] / static_cast<double>(matrix.whole_rows);
    for (int64_t r = 0; r < matrix.rows; ++r) {
      matrix.row_factors[r] =
          static_cast<float>(1.0 / std::sqrt(matrix.vr[r] / row_mean));
    }
    const float rows = static_cast<float>(matrix.whole_rows);
    for (size_t c = 0; c < columns.size(); ++c) {
      matrix.vc[c] = matrix.vc[c] * keep + columns[c] / rows * rest;
      columns[c] = 1.0F / std::sqrt(matrix.vc[c]);
    }
  }
}

void Adafactor::SumRowsAndColumns(double decay) {
  ForBlocks([&](Block* block, Matrix* matrix) {
    const int64_t offset = matrix->begin + block->row * matrix->columns;
    const float* const p = Data(matrix->parameter) + offset;
    const RowsTerms terms = TermsOf(*block, *matrix);
    block->parameter_squares =
        SumOfSquares(p, {p, 0.0F, 1.0F}, block->rows * matrix->columns);
    if (!matrix->factored) {
      block->scaled_squares =
          AdafactorUnfactoredSums(p, matrix->v + block->row, terms.gradient,
                                  static_cast<float>(decay), block->rows);
      return;
    }
    float* const sums = &column_sums_[block->column_sums];
    std::fill(sums, sums + matrix->columns, 0.0F);
    AdafactorSums(p, terms, matrix->row_factors.data() + block->row, sums);
  });
}

void Adafactor::SumScaledSquares() {
  ForBlocks([&](Block* block, Matrix* matrix) {
    if (!matrix->factored) return;
    block->scaled_squares = AdafactorScaledSquares(
        Data(matrix->parameter) + matrix->begin + block->row * matrix->columns,
        TermsOf(*block, *matrix), matrix->row_factors.data() + block->row,
        matrix->column_factors.data());
  });
}

std::vector<float> Adafactor::Rates(double learning_rate) const {
  // Of whole variables, in the blocks' order.
  std::vector<double> parameter_squares(variables_.size(), 0.0);
  std::vector<double> scaled_squares(variables_.size(), 0.0);
  for (const Block& block : blocks_) {
    const size_t i = matrices_[block.matrix].variable;
    parameter_squares[i] += block.parameter_squares;
    scaled_squares[i] += block.scaled_squares;
  }
  SumOfVariables(&parameter_squares);
  SumOfVariables(&scaled_squares);
  std::vector<float> rates(variables_.size());
  for (size_t i = 0; i < rates.size(); ++i) {
    const double size =
        std::max<double>(1.0, static_cast<double>(variables_[i].size));
    double rate = learning_rate;
    if (by_parameter_scale_) {
      rate *= std::max(std::sqrt(parameter_squares[i] / size), kEpsilon2);
    }
    // T2T's threshold of None has no number here; 0 stands for it.
    if (clipping_ > 0) {
      rate /= std::max(1.0, std::sqrt(scaled_squares[i] / size) / clipping_);
    }
    rates[i] = static_cast<float>(rate);
  }
  return rates;
}

void Adafactor::Update(double learning_rate, int64_t step) {
  const double t = static_cast<double>(step) + 1.0;
  const double decay = adam_decay_
                           ? beta2_ * (1.0 - std::pow(beta2_, t - 1.0)) /
                                 (1.0 - std::pow(beta2_, t))
                           : 1.0 - std::pow(t, -exponent_);
  SumRowsAndColumns(decay);
  UpdateMeans(decay);
  SumScaledSquares();
  const std::vector<float> rates = Rates(learning_rate);
  ForBlocks([&](Block* block, Matrix* matrix) {
    const int64_t place = block->row * matrix->columns;
    float* const p = Data(matrix->parameter) + matrix->begin + place;
    float* const m = matrix->m == nullptr ? nullptr : matrix->m + place;
    const RowsTerms terms = TermsOf(*block, *matrix);
    const float rate = rates[matrix->variable];
    const float beta1 = static_cast<float>(beta1_);
    if (matrix->factored) {
      AdafactorUpdate(p, m, terms, matrix->row_factors.data() + block->row,
                      matrix->column_factors.data(), rate, beta1);
    } else {
      AdafactorUnfactoredUpdate(p, m, matrix->v + block->row, terms.gradient,
                                rate, beta1, block->rows);
    }
  });
}

}  // namespace t2t
