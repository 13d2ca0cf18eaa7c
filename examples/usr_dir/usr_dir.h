#ifndef USR_DIR_USR_DIR_H_
#define USR_DIR_USR_DIR_H_

#include "t2t/problem/registries.h"

// An example of a --t2t_usr_dir: a problem, a metric, a model, a modality and an
// hparams set. Its programs' command lines, once the folder is named, are those of
// anything built in:
//
//   t2t-datagen --t2t_usr_dir=examples/usr_dir --problem=next_letter \
//       --data_dir=data
//   t2t-trainer --t2t_usr_dir=examples/usr_dir --problem=next_letter \
//       --model=position_mlp --hparams_set=position_mlp_tiny --data_dir=data \
//       --output_dir=train --train_steps=300 --schedule=train
//   echo hello | t2t-decoder --t2t_usr_dir=examples/usr_dir --data_dir=data \
//       --output_dir=train --decode_from_file=- --decode_to_file=- \
//       --decode_hparams=beam_size=1,extra_length=0        # ifmmp

namespace usr_dir {

void RegisterProblem(t2t::ProblemRegistry& problems);
void RegisterModel(const t2t::Registries& registries);

}  // namespace usr_dir

#endif  // USR_DIR_USR_DIR_H_
