"""FastAPI under uvicorn: answers requests of several clients, streams, and a socket; ends when it is told to."""

import asyncio
import json
import signal
import socket
import threading

import httpx
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()
seen = {}


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []


def limit(most: int = 3):
    yield min(most, 10)


@app.put("/items/{number}")
async def put(number: int, item: Item):
    await asyncio.sleep(0)
    seen[number] = item
    return {"number": number, **item.model_dump()}


@app.get("/items")
def items(most: int = Depends(limit)):
    """Runs in a thread."""
    return [seen[number] for number in sorted(seen)[:most]]


@app.get("/items/{number}")
async def get(number: int) -> Item:
    if number not in seen:
        raise HTTPException(404, "no such item")
    return seen[number]


@app.get("/numbers")
async def numbers():
    async def parts():
        for number in range(200):
            yield f"{number}\n"
            await asyncio.sleep(0)
    return StreamingResponse(parts())


async def ask(address):
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        async def put_and_get(number):
            put = await client.put(f"/items/{number}", json={"name": f"n{number}", "price": number / 4, "tags": ["a"] * number})
            got = await client.get(f"/items/{number}")
            return put.status_code, got.json()["name"]
        print(sorted(await asyncio.gather(*map(put_and_get, range(40)))))
        for path in ("/items", "/items?most=1", "/items?most=x", "/items/99", "/nothing"):
            answer = await client.get(path)
            print(path, answer.status_code, answer.text)
        async with client.stream("GET", "/numbers") as answer:
            print(sum([int(line) async for line in answer.aiter_lines()]))
        schema = (await client.get("/openapi.json")).json()
        print(len(json.dumps(schema)), sorted(schema["paths"]))


def main():
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def client():
        asyncio.run(ask(address))
        signal.raise_signal(signal.SIGTERM)

    # Its signal is for the server.
    signal.signal(signal.SIGTERM, lambda *_: None)
    thread = threading.Thread(target=client)
    thread.start()
    server.run(sockets=[listening])
    thread.join()
    print("ended")


main()
