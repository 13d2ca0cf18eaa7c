#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/autograd.h>
#include <chrono>
#include <ctime>
#include <cstdio>
#include <algorithm>
#include "t2t/base/hparams.h"
#include "t2t/model/model.h"
using namespace t2t;
static double Now(){ timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID,&t); return t.tv_sec+1e-9*t.tv_nsec; }
struct Ctx: at::ObserverContext { };
struct Frame{double start; double child; std::string name;};
static thread_local std::vector<Frame> stack_;
static std::map<std::string,std::pair<double,int>> acc;
static std::unique_ptr<at::ObserverContext> Begin(const at::RecordFunction& f){ stack_.push_back({Now(),0,f.name()}); return nullptr; }
static void End(const at::RecordFunction&, at::ObserverContext*){ auto fr=stack_.back(); stack_.pop_back(); double d=Now()-fr.start; auto&a=acc[fr.name]; a.first+=d-fr.child; a.second++; if(!stack_.empty()) stack_.back().child+=d; }
int main(int argc,char**argv){
  int rows=argc>1?atoi(argv[1]):140; std::string ov=argc>2?argv[2]:"";
  ProblemInfo info; info.features["inputs"].vocab_size=8192; info.features["targets"].vocab_size=8192;
  auto model=Models().Get("transformer")(MakeHParams("transformer_multi30k",ov),info,1);
  at::manual_seed(1);
  auto ids=[&]{ auto x=at::randint(2,8192,{rows,15},at::kLong); auto l=at::randint(10,16,{rows,1},at::kLong); return x*at::arange(15,at::kLong).lt(l); };
  Features b={{"inputs",ids()},{"targets",ids()}};
  auto ps=model->params().Trainable();
  auto step=[&]{ auto loss=model->Loss(b,Mode::kTrain).Total(); return torch::autograd::grad({loss},ps); };
  step();
  int n=argc>3?atoi(argv[3]):4;
  { double t0=Now(); for(int i=0;i<n;i++) step(); printf("step main-thread cpu %.1f ms\n",1e3*(Now()-t0)/n); }
  at::addGlobalCallback(at::RecordFunctionCallback(Begin,End));
  double f=0; for(int i=0;i<n;i++){ double a=Now(); auto loss=model->Loss(b,Mode::kTrain).Total(); f+=Now()-a; torch::autograd::grad({loss},ps);} 
  printf("forward %.1f ms\n",1e3*f/n);
  std::vector<std::pair<double,std::string>> v; double tot=0; for(auto&[k,a]:acc){v.push_back({a.first,k}); tot+=a.first;}
  std::sort(v.rbegin(),v.rend()); printf("total %.1f ms\n",1e3*tot/n);
  for(size_t i=0;i<v.size()&&i<32;i++) printf("%8.2f ms %6d  %s\n",1e3*v[i].first/n,acc[v[i].second].second/n,v[i].second.c_str());
}
