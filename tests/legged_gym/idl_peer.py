"""The other side of the bus as the package cyclonedds and Unitree's SDK would be: types in IDL, serialised in Python.

python idl_peer.py publish|subscribe TOPIC NETWORK DOMAIN
"""

import json
import sys
import time
from dataclasses import dataclass

from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct, annotations, types
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

CONFIG = """<CycloneDDS><Domain Id="any">
<General><Interfaces><NetworkInterface name="{network}"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>30</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>"""
u1, u2, u4, i2, i4, f4 = types.uint8, types.uint16, types.uint32, types.int16, types.int32, types.float32
array = types.array


@dataclass
@annotations.final
@annotations.autoid("sequential")
class MotorCmd(IdlStruct, typename="unitree_go.msg.dds_.MotorCmd_"):
    mode: u1
    q: f4
    dq: f4
    tau: f4
    kp: f4
    kd: f4
    reserve: array[u4, 3]


@dataclass
@annotations.final
@annotations.autoid("sequential")
class BmsCmd(IdlStruct, typename="unitree_go.msg.dds_.BmsCmd_"):
    off: u1
    reserve: array[u1, 3]


@dataclass
@annotations.final
@annotations.autoid("sequential")
class LowCmd(IdlStruct, typename="unitree_go.msg.dds_.LowCmd_"):
    head: array[u1, 2]
    level_flag: u1
    frame_reserve: u1
    sn: array[u4, 2]
    version: array[u4, 2]
    bandwidth: u2
    motor_cmd: array[MotorCmd, 20]
    bms_cmd: BmsCmd
    wireless_remote: array[u1, 40]
    led: array[u1, 12]
    fan: array[u1, 2]
    gpio: u1
    reserve: u4
    crc: u4


@dataclass
@annotations.final
@annotations.autoid("sequential")
class ImuState(IdlStruct, typename="unitree_go.msg.dds_.IMUState_"):
    quaternion: array[f4, 4]
    gyroscope: array[f4, 3]
    accelerometer: array[f4, 3]
    rpy: array[f4, 3]
    temperature: u1


@dataclass
@annotations.final
@annotations.autoid("sequential")
class MotorState(IdlStruct, typename="unitree_go.msg.dds_.MotorState_"):
    mode: u1
    q: f4
    dq: f4
    ddq: f4
    tau_est: f4
    q_raw: f4
    dq_raw: f4
    ddq_raw: f4
    temperature: u1
    lost: u4
    reserve: array[u4, 2]


@dataclass
@annotations.final
@annotations.autoid("sequential")
class BmsState(IdlStruct, typename="unitree_go.msg.dds_.BmsState_"):
    version_high: u1
    version_low: u1
    status: u1
    soc: u1
    current: i4
    cycle: u2
    bq_ntc: array[u1, 2]
    mcu_ntc: array[u1, 2]
    cell_vol: array[u2, 15]


@dataclass
@annotations.final
@annotations.autoid("sequential")
class LowState(IdlStruct, typename="unitree_go.msg.dds_.LowState_"):
    head: array[u1, 2]
    level_flag: u1
    frame_reserve: u1
    sn: array[u4, 2]
    version: array[u4, 2]
    bandwidth: u2
    imu_state: ImuState
    motor_state: array[MotorState, 20]
    bms_state: BmsState
    foot_force: array[i2, 4]
    foot_force_est: array[i2, 4]
    tick: u4
    wireless_remote: array[u1, 40]
    bit_flag: u1
    adc_reel: f4
    temperature_ntc1: u1
    temperature_ntc2: u1
    power_v: f4
    power_a: f4
    fan_frequency: array[u2, 4]
    reserve: u4
    crc: u4


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Identity(IdlStruct, typename="unitree_api.msg.dds_.RequestIdentity_"):
    id: types.int64
    api_id: types.int64


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Lease(IdlStruct, typename="unitree_api.msg.dds_.RequestLease_"):
    id: types.int64


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Policy(IdlStruct, typename="unitree_api.msg.dds_.RequestPolicy_"):
    priority: i4
    noreply: bool


@dataclass
@annotations.final
@annotations.autoid("sequential")
class RequestHeader(IdlStruct, typename="unitree_api.msg.dds_.RequestHeader_"):
    identity: Identity
    lease: Lease
    policy: Policy


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Request(IdlStruct, typename="unitree_api.msg.dds_.Request_"):
    header: RequestHeader
    parameter: str
    binary: types.sequence[u1]


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Status(IdlStruct, typename="unitree_api.msg.dds_.ResponseStatus_"):
    code: i4


@dataclass
@annotations.final
@annotations.autoid("sequential")
class ResponseHeader(IdlStruct, typename="unitree_api.msg.dds_.ResponseHeader_"):
    identity: Identity
    status: Status


@dataclass
@annotations.final
@annotations.autoid("sequential")
class Response(IdlStruct, typename="unitree_api.msg.dds_.Response_"):
    header: ResponseHeader
    data: str
    binary: types.sequence[u1]


REQUEST = Request(RequestHeader(Identity(2**40 + 7, 1003), Lease(5), Policy(3, True)), '{"name": "käfer"}', [])
RESPONSE = Response(ResponseHeader(Identity(2**40 + 7, 1001), Status(3203)), '{"name": "normal"}', [])


def numbered(kind: type, start: int = 1):
    """A message with the numbers 1, 2, 3, … modulo 100 in the order of its members, and the number after the last."""
    values = []
    for hint in kind.__annotations__.values():
        detail = getattr(hint, "__metadata__", (None,))[0]  # of an array: its length and what it is made of
        count = getattr(detail, "length", None)
        inner = detail.subtype if count else hint
        items = []
        for _ in range(count or 1):
            if isinstance(inner, type) and issubclass(inner, IdlStruct):
                item, start = numbered(inner, start)
            else:
                item, start = start % 100, start + 1
            items.append(item)
        values.append(items if count else items[0])
    return kind(*values), start


def flat(value) -> list[float | str]:
    """All numbers and texts of a message, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, IdlStruct):
        return [number for name in value.__annotations__ for number in flat(getattr(value, name))]
    if isinstance(value, (list, tuple, bytes)):
        return [number for item in value for number in flat(item)]
    return [float(value)]


MESSAGES = {
    "rt/lowcmd": numbered(LowCmd)[0],
    "rt/lowstate": numbered(LowState)[0],
    "rt/api/echo/request": REQUEST,
    "rt/api/echo/response": RESPONSE,
}


def main(action: str, topic: str, network: str, domain: int) -> None:
    kept = Domain(domain, CONFIG.format(network=network))
    participant, message = DomainParticipant(domain), MESSAGES[topic]
    if action == "publish":
        writer = DataWriter(participant, Topic(participant, topic, type(message)))
        for _ in range(200):
            writer.write(message)
            time.sleep(0.02)
        print(json.dumps(flat(message)))
    else:
        reader = DataReader(participant, Topic(participant, topic, type(message)))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            samples = reader.take(1)
            if samples:
                print(json.dumps(flat(samples[0])))
                break
            time.sleep(0.02)
    del kept


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
