#ifndef T2T_FORMATS_PNG_H_
#define T2T_FORMATS_PNG_H_

#include <string>
#include <string_view>

#include "t2t/formats/image.h"

namespace t2t {

// By libpng. Encoding gives the same bytes for the same image.
std::string EncodePng(const Image& image);
// `channels`: what becomes of the image, 1 or 3; alpha is dropped, 16 bits a
// channel become 8, and no gamma is applied: as tf.image.decode_png. Throws a
// DataError where it is damaged, is no PNG, or is larger than kMostPixels.
Image DecodePng(std::string_view bytes, int channels);

}  // namespace t2t

#endif  // T2T_FORMATS_PNG_H_
