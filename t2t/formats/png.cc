#include "t2t/formats/png.h"

#include <png.h>

#include <csetjmp>
#include <cstring>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// libpng leaves by longjmp, so what lives across its calls is here, outside the
// frames that it jumps over.
struct Reading {
  std::string_view bytes;
  size_t at = 0;
  std::string error;
  png_structp png = nullptr;
  png_infop info = nullptr;
  Image image;
  std::vector<png_bytep> rows;

  ~Reading() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writing {
  std::string bytes;
  std::string error;
  png_structp png = nullptr;
  png_infop info = nullptr;

  ~Writing() { png_destroy_write_struct(&png, &info); }
};

template <typename Work>
[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  static_cast<Work*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep to, size_t size) {
  auto* const reading = static_cast<Reading*>(png_get_io_ptr(png));
  if (size > reading->bytes.size() - reading->at) {
    png_error(png, "it is cut");
  }
  std::memcpy(to, reading->bytes.data() + reading->at, size);
  reading->at += size;
}

void OnWrite(png_structp png, png_bytep from, size_t size) {
  static_cast<Writing*>(png_get_io_ptr(png))
      ->bytes.append(reinterpret_cast<const char*>(from), size);
}

// Has libpng give `channels` of 8 bits each.
void SetTransforms(Reading* reading, int channels) {
  png_structp png = reading->png;
  const int type = png_get_color_type(png, reading->info);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  png_set_expand(png);
  if (channels == 3 && (type & PNG_COLOR_MASK_COLOR) == 0) {
    png_set_gray_to_rgb(png);
  }
  if (channels == 1 && (type & PNG_COLOR_MASK_COLOR) != 0) {
    png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, -1, -1);
  }
  // After the others: tRNS, which expands to alpha, too.
  png_set_strip_alpha(png);
  png_read_update_info(png, reading->info);
}

// False: reading->error says why.
bool Read(Reading* reading, int channels) {
  if (setjmp(png_jmpbuf(reading->png)) != 0) return false;
  png_set_read_fn(reading->png, reading, OnRead);
  png_read_info(reading->png, reading->info);
  const uint64_t width = png_get_image_width(reading->png, reading->info);
  const uint64_t height = png_get_image_height(reading->png, reading->info);
  if (width * height > uint64_t{kMostPixels}) png_error(reading->png, "it is too large");
  SetTransforms(reading, channels);
  const size_t row = png_get_rowbytes(reading->png, reading->info);
  if (row != width * static_cast<uint64_t>(channels)) {
    png_error(reading->png, "its channels are others");
  }
  reading->image.height = static_cast<int64_t>(height);
  reading->image.width = static_cast<int64_t>(width);
  reading->image.channels = channels;
  reading->image.pixels.resize(row * height);
  reading->rows.resize(height);
  for (size_t y = 0; y < height; ++y) {
    reading->rows[y] = reading->image.pixels.data() + y * row;
  }
  png_read_image(reading->png, reading->rows.data());
  png_read_end(reading->png, nullptr);
  return true;
}

bool Write(Writing* writing, const Image& image) {
  if (setjmp(png_jmpbuf(writing->png)) != 0) return false;
  png_set_write_fn(writing->png, writing, OnWrite, nullptr);
  png_set_IHDR(writing->png, writing->info,
               static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writing->png, writing->info);
  const auto row = static_cast<size_t>(image.width * image.channels);
  for (int64_t y = 0; y < image.height; ++y) {
    png_write_row(writing->png,
                  image.pixels.data() + static_cast<size_t>(y) * row);
  }
  png_write_end(writing->png, nullptr);
  return true;
}

}  // namespace

std::string EncodePng(const Image& image) {
  CheckEncodable(image, "PNG");
  Writing writing;
  writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing,
                                        OnError<Writing>, OnWarning);
  if (writing.png != nullptr) {
    writing.info = png_create_info_struct(writing.png);
  }
  if (writing.info == nullptr || !Write(&writing, image)) {
    throw Error(ExitCode::kInternal, "libpng can't write: " + writing.error);
  }
  return std::move(writing.bytes);
}

Image DecodePng(std::string_view bytes, int channels) {
  Reading reading;
  reading.bytes = bytes;
  reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading,
                                       OnError<Reading>, OnWarning);
  if (reading.png != nullptr) {
    reading.info = png_create_info_struct(reading.png);
  }
  if (reading.info == nullptr) {
    throw Error(ExitCode::kInternal, "libpng can't be set up");
  }
  if (!Read(&reading, channels)) {
    throw DataError("a PNG can't be read: " + reading.error, "a whole PNG",
                    "make the data again");
  }
  return std::move(reading.image);
}

}  // namespace t2t
