#include "t2t/formats/jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
// (Needs the types of <cstdio>.)
#include <jerror.h>
#include <jpeglib.h>

#include <utility>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kInks = 4;

// libjpeg's way of telling errors, and where to go on after one.
struct Errors {
  jpeg_error_mgr manager;  // first: libjpeg is given this alone
  std::jmp_buf jump;
  std::string message;
};

[[noreturn]] void OnError(j_common_ptr info) {
  auto* const errors = reinterpret_cast<Errors*>(info->err);
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  errors->message = text;
  std::longjmp(errors->jump, 1);
}

// libjpeg goes on with grey where the bytes end; that is no image for us. What
// else it warns of (bytes between two segments) is in many images of real sets.
void OnMessage(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) OnError(info);
}

void SetUp(Errors* errors) {
  jpeg_std_error(&errors->manager);
  errors->manager.error_exit = OnError;
  errors->manager.emit_message = OnMessage;
}

// libjpeg leaves by longjmp, so what lives across its calls is here, outside
// the frames that it jumps over.
struct Reading {
  Errors errors;
  jpeg_decompress_struct info = {};
  Image image;
  std::vector<uint8_t> inks;  // of a row

  Reading() {
    SetUp(&errors);
    info.err = &errors.manager;
  }
  ~Reading() { jpeg_destroy_decompress(&info); }
};

struct Writing {
  Errors errors;
  jpeg_compress_struct info = {};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's

  Writing() {
    SetUp(&errors);
    info.err = &errors.manager;
  }
  ~Writing() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }
};

// Adobe's programs write the inks the other way round, and say who they are.
void InksToColours(const uint8_t* inks, int64_t width, bool inverted,
                   int channels, uint8_t* to) {
  for (int64_t x = 0; x < width; ++x, inks += kInks) {
    int colours[3];
    for (int c = 0; c < 3; ++c) {
      colours[c] = inverted ? inks[3] * inks[c] / 255
                            : (255 - inks[3]) * (255 - inks[c]) / 255;
    }
    if (channels == 3) {
      for (const int colour : colours) *to++ = static_cast<uint8_t>(colour);
    } else {
      *to++ = static_cast<uint8_t>(
          (299 * colours[0] + 587 * colours[1] + 114 * colours[2]) / 1000);
    }
  }
}

// False: reading->errors.message says why.
bool Read(std::string_view bytes, int channels, int64_t most_pixels,
          Reading* reading) {
  jpeg_decompress_struct* const info = &reading->info;
  if (setjmp(reading->errors.jump) != 0) return false;
  jpeg_create_decompress(info);
  jpeg_mem_src(info, reinterpret_cast<const unsigned char*>(bytes.data()),
               bytes.size());
  jpeg_read_header(info, TRUE);
  if (static_cast<int64_t>(info->image_width) * info->image_height >
      most_pixels) {
    reading->errors.message = "it is too large";
    return false;
  }
  const bool has_inks = info->num_components == kInks;
  info->out_color_space = has_inks        ? JCS_CMYK
                          : channels == 1 ? JCS_GRAYSCALE
                                          : JCS_RGB;
  jpeg_start_decompress(info);
  Image& image = reading->image;
  image.height = info->output_height;
  image.width = info->output_width;
  image.channels = channels;
  const auto row = static_cast<size_t>(image.width * channels);
  image.pixels.resize(row * info->output_height);
  if (has_inks) reading->inks.resize(static_cast<size_t>(image.width * kInks));
  while (info->output_scanline < info->output_height) {
    uint8_t* const to = image.pixels.data() + row * info->output_scanline;
    JSAMPROW line = has_inks ? reading->inks.data() : to;
    jpeg_read_scanlines(info, &line, 1);
    if (has_inks) {
      InksToColours(line, image.width, info->saw_Adobe_marker == TRUE, channels,
                    to);
    }
  }
  jpeg_finish_decompress(info);
  return true;
}

bool Write(const Image& image, int quality, Writing* writing) {
  jpeg_compress_struct* const info = &writing->info;
  if (setjmp(writing->errors.jump) != 0) return false;
  jpeg_create_compress(info);
  jpeg_mem_dest(info, &writing->bytes, &writing->size);
  info->image_width = static_cast<JDIMENSION>(image.width);
  info->image_height = static_cast<JDIMENSION>(image.height);
  info->input_components = static_cast<int>(image.channels);
  info->in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(info);
  jpeg_set_quality(info, quality, TRUE);
  jpeg_start_compress(info, TRUE);
  const auto row = static_cast<size_t>(image.width * image.channels);
  while (info->next_scanline < info->image_height) {
    // (libjpeg only reads it.)
    JSAMPROW line =
        const_cast<uint8_t*>(image.pixels.data()) + row * info->next_scanline;
    jpeg_write_scanlines(info, &line, 1);
  }
  jpeg_finish_compress(info);
  return true;
}

}  // namespace

std::string EncodeJpeg(const Image& image, int quality) {
  CheckEncodable(image, "JPEG");
  Writing writing;
  if (!Write(image, quality, &writing)) {
    throw Error(ExitCode::kInternal,
                "libjpeg can't write: " + writing.errors.message);
  }
  return {reinterpret_cast<const char*>(writing.bytes), writing.size};
}

Image DecodeJpeg(std::string_view bytes, int channels, int64_t most_pixels) {
  Reading reading;
  if (!Read(bytes, channels, most_pixels, &reading)) {
    throw DataError("a JPEG can't be read: " + reading.errors.message,
                    "a whole JPEG", "make the data again");
  }
  return std::move(reading.image);
}

}  // namespace t2t
