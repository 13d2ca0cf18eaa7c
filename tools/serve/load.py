#!/usr/bin/env python3
"""Loads a model server's /translate and checks every answer.

  load.py URL LINES --clients=16 --seconds=10            as fast as it answers
  load.py URL LINES --rate=200 --seconds=300 --pid=N     so many a second

LINES is a file of sentences; each is first translated alone, and later answers
must equal that. Prints the rate, latencies, the statuses and how many answers
were wrong or never came; with --pid the server's resident memory. Needs nothing
but Python's standard library. Exit code 1 where an answer was wrong or lost, or
refused in another way than 429.
"""

import argparse
import collections
import http.client
import sys
import threading
import time
import urllib.parse


def resident_mb(pid):
  with open(f'/proc/{pid}/statm') as statm:
    return int(statm.read().split()[1]) * 4096 / 1e6


class Load:

  def __init__(self, flags):
    self.flags = flags
    self.address = urllib.parse.urlparse(flags.url)
    with open(flags.lines, encoding='utf-8') as lines:
      self.lines = [line for line in lines.read().split('\n') if line.strip()]
    self.lines = self.lines[:flags.most_lines]
    self.expected = {}
    self.lock = threading.Lock()
    self.latencies = []
    self.statuses = collections.Counter()
    self.sent = self.wrong = self.next = 0

  def connect(self):
    return http.client.HTTPConnection(self.address.hostname, self.address.port,
                                      timeout=120)

  def ask(self, connection, line):
    connection.request('POST', '/translate', line.encode())
    reply = connection.getresponse()
    return reply.status, reply.read().decode()

  def learn(self):
    connection = self.connect()
    for line in self.lines:
      status, text = self.ask(connection, line)
      if status != 200:
        sys.exit(f'status {status} for {line!r} alone: {text}')
      self.expected[line] = text

  def client(self, start):
    connection = self.connect()
    latencies, statuses = [], collections.Counter()
    sent = wrong = 0
    while True:
      with self.lock:
        number = self.next
        self.next += 1
      begin = time.monotonic()
      if self.flags.rate:
        due = start + number / self.flags.rate
        if due > start + self.flags.seconds:
          break
        time.sleep(max(0, due - begin))
        begin = time.monotonic()
      elif begin > start + self.flags.seconds:
        break
      line = self.lines[number % len(self.lines)]
      sent += 1
      try:
        status, text = self.ask(connection, line)
      except (OSError, http.client.HTTPException) as error:
        statuses[type(error).__name__] += 1
        connection = self.connect()
        continue
      statuses[status] += 1
      if status == 200:
        latencies.append(time.monotonic() - begin)
        wrong += text != self.expected[line]
    with self.lock:
      self.latencies += latencies
      self.statuses += statuses
      self.sent += sent
      self.wrong += wrong

  def watch(self, stop):
    while not stop.wait(self.flags.seconds / 10):
      print(f'  resident {resident_mb(self.flags.pid):.1f} MB', flush=True)

  def run(self):
    self.learn()
    stop = threading.Event()
    if self.flags.pid:
      threading.Thread(target=self.watch, args=(stop,), daemon=True).start()
    start = time.monotonic()
    clients = [threading.Thread(target=self.client, args=(start,))
               for _ in range(self.flags.clients)]
    for client in clients:
      client.start()
    for client in clients:
      client.join()
    seconds = time.monotonic() - start
    stop.set()
    self.latencies.sort()
    at = lambda share: 1e3 * self.latencies[int(len(self.latencies) * share)]
    lost = self.sent - sum(self.statuses.values())
    other = sum(count for status, count in self.statuses.items()
                if status not in (200, 429))
    print(f'{self.flags.clients} clients, {seconds:.1f} s: asked '
          f'{self.sent / seconds:.1f}/s, answered '
          f'{self.statuses[200] / seconds:.1f}/s, p50 {at(.5):.0f} ms, p99 '
          f'{at(.99):.0f} ms; statuses {dict(self.statuses)}, wrong '
          f'{self.wrong}, lost {lost}')
    return 1 if self.wrong or lost or other else 0


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('url')
  parser.add_argument('lines')
  parser.add_argument('--clients', type=int, default=16)
  parser.add_argument('--seconds', type=float, default=10)
  parser.add_argument('--rate', type=float, default=0)
  parser.add_argument('--most_lines', type=int, default=200)
  parser.add_argument('--pid', type=int, default=0)
  sys.exit(Load(parser.parse_args()).run())


if __name__ == '__main__':
  main()
