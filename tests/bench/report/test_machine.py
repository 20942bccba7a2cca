import socket

from haulproof.bench.report.machine import machine, memory_gb, processor

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some(R)  CPU @ 2.00GHz\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n"


def test_processor_is_named_where_the_kernel_names_it() -> None:
    assert processor(X86) == "Some(R) CPU @ 2.00GHz"
    assert processor(ARM) == ""


def test_memory_is_in_gigabytes() -> None:
    assert memory_gb("MemFree: 1 kB\nMemTotal:       16384000 kB\n") == 17
    assert memory_gb("") == 0


def test_machine_is_told_by_what_it_is_and_not_by_its_name() -> None:
    told = machine()

    assert {"cores", "processor", "kernel", "python", "nats-server", "psycopg"} <= set(told)
    assert all(told.values())
    assert socket.gethostname() not in map(str, told.values())
