"""celery: `python -m benchmarks.peers.celery_app COUNT` puts jobs in, `celery worker` works on them."""

import sys

import redis
from celery import Celery

from benchmarks.support.streams.constant import RESULTS, job, redis_url, result

app = Celery("benchmark", broker=redis_url())
app.conf.update(
    task_ignore_result=True,
    # Late, because everybody else here acknowledges after the work, too.
    task_acks_late=True,
    worker_prefetch_multiplier=16,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
client = redis.Redis.from_url(redis_url())
constant = result()


@app.task(name="work")
def work(content: str) -> None:
    """Write the result."""
    client.xadd(RESULTS, {"data": constant})


if __name__ == "__main__":
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for number in range(int(sys.argv[1])):
            work.apply_async((job(number),), producer=producer)
