#!/usr/bin/env python3
"""Asks a model server with TensorFlow Serving's own client library.

  tfs_client.py HOST:PORT NAME LINES VOCABULARY [--ca=FILE]

LINES: sentences; VOCABULARY: the model's subword file, for the ids. Needs
tensorflow-serving-api (with TensorFlow) and T2T's text_encoder on PYTHONPATH.
Checks Predict by ids and by text against each other, status, metadata, refusals
at a full queue (start the server with a small --max_queue_tokens), deadlines
and cancellation; prints what it saw. Exit code 1 where something was wrong.
"""

import argparse
import collections
import sys
import threading

import grpc
import tensorflow as tf
from tensor2tensor.data_generators import text_encoder
from tensorflow_serving.apis import get_model_metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('address')
  parser.add_argument('name')
  parser.add_argument('lines')
  parser.add_argument('vocabulary')
  parser.add_argument('--ca', default='')
  flags = parser.parse_args()
  if flags.ca:
    with open(flags.ca, 'rb') as ca:
      channel = grpc.secure_channel(
          flags.address, grpc.ssl_channel_credentials(ca.read()))
  else:
    channel = grpc.insecure_channel(flags.address)
  stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
  encoder = text_encoder.SubwordTextEncoder(flags.vocabulary)
  with open(flags.lines, encoding='utf-8') as lines:
    texts = [line for line in lines.read().split('\n') if line][:60]

  def request(values, name):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = flags.name
    message.inputs[name].CopyFrom(
        tf.make_tensor_proto(values, shape=[len(values)]))
    return message

  def example(text):
    ids = tf.train.Int64List(value=encoder.encode(text) + [1])
    return tf.train.Example(features=tf.train.Features(feature={
        'inputs': tf.train.Feature(int64_list=ids)})).SerializeToString()

  wrong = 0
  expected = {}
  for text in texts:
    by_text = stub.Predict(request([text.encode()], 'text'), 60)
    by_ids = stub.Predict(request([example(text)], 'input'), 60)
    said = tf.make_ndarray(by_text.outputs['text'])[0].decode()
    ids = tf.make_ndarray(by_ids.outputs['outputs'])[0]
    expected[text] = said
    wrong += encoder.decode(ids, strip_extraneous=True) != said
  print(f'{len(texts)} sentences by ids and by text; {wrong} differ')

  models = model_service_pb2_grpc.ModelServiceStub(channel)
  status = get_model_status_pb2.GetModelStatusRequest()
  status.model_spec.name = flags.name
  states = models.GetModelStatus(status, 5).model_version_status
  print('status', [(state.version, state.state) for state in states])
  wrong += not any(state.state == 30 for state in states)
  metadata = get_model_metadata_pb2.GetModelMetadataRequest()
  metadata.model_spec.name = flags.name
  metadata.metadata_field.append('signature_def')
  found = get_model_metadata_pb2.SignatureDefMap()
  stub.GetModelMetadata(metadata, 5).metadata['signature_def'].Unpack(found)
  print('signatures', list(found.signature_def))
  wrong += 'serving_default' not in found.signature_def

  counts = collections.Counter()
  lock = threading.Lock()

  def hammer(first):
    for i in range(40):
      text = texts[(first + i) % len(texts)]
      try:
        reply = stub.Predict(request([text.encode()], 'text'), 60)
        said = tf.make_ndarray(reply.outputs['text'])[0].decode()
        outcome = 'right' if said == expected[text] else 'wrong'
      except grpc.RpcError as error:
        outcome = error.code().name
      with lock:
        counts[outcome] += 1

  threads = [threading.Thread(target=hammer, args=(7 * i,)) for i in range(24)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  print('24 callers at once:', dict(counts))
  wrong += sum(counts.values()) != 24 * 40
  wrong += not set(counts) <= {'right', 'RESOURCE_EXHAUSTED'}

  many = [text.encode() for text in texts[:40]]
  try:
    stub.Predict(request(many[:1], 'text'), 0.001)
    print('a deadline of 1 ms: answered')
  except grpc.RpcError as error:
    print('a deadline of 1 ms:', error.code().name)
    wrong += error.code() != grpc.StatusCode.DEADLINE_EXCEEDED
  call = stub.Predict.future(request(many[:2], 'text'), 60)
  call.cancel()
  print('cancelled:', call.cancelled())
  reply = stub.Predict(request([texts[0].encode()], 'text'), 60)
  wrong += (tf.make_ndarray(reply.outputs['text'])[0].decode() !=
            expected[texts[0]])
  print('wrong:', wrong)
  sys.exit(1 if wrong else 0)


if __name__ == '__main__':
  main()
