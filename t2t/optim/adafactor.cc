#include "t2t/optim/adafactor.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/optim/flush_tiny.h"
#include "t2t/optim/kernels.h"

namespace t2t {
namespace {

constexpr int64_t kBlockSize = 1 << 14;
constexpr double kEpsilon2 = 1e-3;
constexpr char kRowMeans[] = "adafactor_vr";
constexpr char kColumnMeans[] = "adafactor_vc";

}  // namespace

std::optional<int64_t> AdafactorMeansOver(const std::string& slot,
                                          int64_t dims) {
  if (slot == kRowMeans) return dims - 1;
  if (slot == kColumnMeans) return dims - 2;
  return std::nullopt;
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
  const bool factored = hparams.GetBool("optimizer_adafactor_factored");
  for (size_t i = 0; i < this->parameters().size(); ++i) {
    const NamedTensor& parameter = this->parameters()[i];
    const std::vector<int64_t> shape = parameter.tensor.sizes().vec();
    const int64_t size = parameter.tensor.numel();
    const auto zeros = [&](const char* slot, at::IntArrayRef sizes) {
      return AddState(std::string(slot) + "/" + parameter.name,
                      at::zeros(sizes, at::kFloat))
          .mutable_data_ptr<float>();
    };
    float* const m = beta1_ != 0 ? zeros("adafactor_m", shape) : nullptr;
    if (size == 0) continue;
    if (!factored || shape.size() < 2) {
      matrices_.push_back({i,
                           0,
                           size,
                           1,
                           false,
                           nullptr,
                           nullptr,
                           zeros("adafactor_v", shape),
                           m,
                           {},
                           {}});
      continue;
    }
    const auto means = [&](const char* slot) {
      std::vector<int64_t> sizes = shape;
      sizes.erase(
          sizes.begin() +
          *AdafactorMeansOver(slot, static_cast<int64_t>(sizes.size())));
      return zeros(slot, sizes);
    };
    float* const vr = means(kRowMeans);
    float* const vc = means(kColumnMeans);
    const int64_t columns = shape.back();
    const int64_t rows = shape[shape.size() - 2];
    for (int64_t k = 0; k < size / (rows * columns); ++k) {
      const int64_t begin = k * rows * columns;
      matrices_.push_back(
          {i, begin, rows, columns, true, vr + k * rows, vc + k * columns,
           nullptr, m == nullptr ? nullptr : m + begin,
           std::vector<float>(rows), std::vector<float>(columns)});
    }
  }
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
  const auto& part = PartOf(matrix.parameter);
  if (!part || !matrix.factored) return 0;
  const int64_t side = static_cast<int64_t>(part->shape.size()) - part->dim;
  return side <= 2 ? side : 0;
}

int64_t Adafactor::Rows(const Matrix& matrix) const {
  if (SplitSide(matrix) != 2) return matrix.rows;
  const auto& shape = PartOf(matrix.parameter)->shape;
  return shape[shape.size() - 2];
}

int64_t Adafactor::Columns(const Matrix& matrix) const {
  if (SplitSide(matrix) != 1) return matrix.columns;
  return PartOf(matrix.parameter)->shape.back();
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

void Adafactor::SumSplitMatrices() {
  if (split() == nullptr) return;
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
  split()->Sum(sums);
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
    const float columns = static_cast<float>(Columns(matrix));
    for (int64_t r = 0; r < matrix.rows; ++r) {
      matrix.vr[r] =
          matrix.vr[r] * keep + matrix.row_factors[r] / columns * rest;
      row_sums[i] += matrix.vr[r];
    }
    if (SplitSide(matrix) == 2) split_rows.push_back(i);
  }
  if (split() != nullptr) {
    const at::Tensor sums =
        at::empty(static_cast<int64_t>(split_rows.size()), at::kDouble);
    double* const data = sums.mutable_data_ptr<double>();
    for (size_t i = 0; i < split_rows.size(); ++i) {
      data[i] = row_sums[split_rows[i]];
    }
    split()->Sum(sums);
    for (size_t i = 0; i < split_rows.size(); ++i) {
      row_sums[split_rows[i]] = data[i];
    }
  }
  for (size_t i = 0; i < matrices_.size(); ++i) {
    Matrix& matrix = matrices_[i];
    std::vector<float>& columns = matrix.column_factors;
    if (!matrix.factored || !HasGradient(matrix.parameter)) continue;
    const double row_mean = row_sums[i] / static_cast<double>(Rows(matrix));
    for (int64_t r = 0; r < matrix.rows; ++r) {
      matrix.row_factors[r] =
          static_cast<float>(1.0 / std::sqrt(matrix.vr[r] / row_mean));
    }
    const float rows = static_cast<float>(Rows(matrix));
    for (size_t c = 0; c < columns.size(); ++c) {
      matrix.vc[c] = matrix.vc[c] * keep + columns[c] / rows * rest;
      columns[c] = 1.0F / std::sqrt(matrix.vc[c]);
    }
  }
}

void Adafactor::Update(double learning_rate, int64_t step) {
  const double t = static_cast<double>(step) + 1.0;
  const double decay = adam_decay_
                           ? beta2_ * (1.0 - std::pow(beta2_, t - 1.0)) /
                                 (1.0 - std::pow(beta2_, t))
                           : 1.0 - std::pow(t, -exponent_);
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
  UpdateMeans(decay);
  ForBlocks([&](Block* block, Matrix* matrix) {
    if (!matrix->factored) return;
    block->scaled_squares = AdafactorScaledSquares(
        Data(matrix->parameter) + matrix->begin + block->row * matrix->columns,
        TermsOf(*block, *matrix), matrix->row_factors.data() + block->row,
        matrix->column_factors.data());
  });
  // Of whole parameters, in the blocks' order.
  std::vector<double> parameter_squares(parameters().size(), 0.0);
  std::vector<double> scaled_squares(parameters().size(), 0.0);
  for (const Block& block : blocks_) {
    const size_t i = matrices_[block.matrix].parameter;
    parameter_squares[i] += block.parameter_squares;
    scaled_squares[i] += block.scaled_squares;
  }
  SumOfSplit(&parameter_squares);
  SumOfSplit(&scaled_squares);
  std::vector<float> rates(parameters().size());
  for (size_t i = 0; i < rates.size(); ++i) {
    const double size =
        std::max<double>(1.0, static_cast<double>(WholeSize(i)));
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
  ForBlocks([&](Block* block, Matrix* matrix) {
    const int64_t place = block->row * matrix->columns;
    float* const p = Data(matrix->parameter) + matrix->begin + place;
    float* const m = matrix->m == nullptr ? nullptr : matrix->m + place;
    const RowsTerms terms = TermsOf(*block, *matrix);
    const float rate = rates[matrix->parameter];
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
