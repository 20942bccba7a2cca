"""The recorded drives that tests read, by name."""

from pathlib import Path

from firmware_sim.drives import FrameDrive, RecordDrive, open_drive, shipped_drive

DRIVES = Path(__file__).parents[1] / "data" / "drives"

COVESA = DRIVES / "eclipse_fms_truck" / "signalsCovesaCvRecording.csv"
DRIVE5 = DRIVES / "driveplotr" / "drive5_urban_13min.csv"
COMMA = DRIVES / "comma2k19" / "gnss_ublox_10hz.csv"
CAN_83_HZ = DRIVES / "comma2k19" / "can_speed_83hz_first_1700_rows.csv"
TRUCKGPS = DRIVES / "truckgps" / "candump-2023-08-08_152318.log"
ETI = DRIVES / "eti_j1939_840_log" / "j1939_840.log"
KEY_ON = DRIVES / "css_2021_j1939_keyon_engine_off_bam" / "keyon.log"
IDLE_GZIPPED = DRIVES / "css_us_2021_truck_j1939_idle" / "truck_idle_j1939_first_8000_frames.log.gz"
GNSS_1_HZ = DRIVES / "css_dk_2021_van_obd_gnss_imu" / "gnss_first_300_rows.csv"
OBD_ROWS = DRIVES / "css_dk_2021_van_obd_gnss_imu" / "obd_first_400_rows.csv"
GNSS_5_HZ = DRIVES / "css_dk_2024_car_obd_fuel_gnss" / "gnss_first_400_rows.csv"


def eclipse_truck() -> Path:
    path = shipped_drive()
    assert path is not None
    return path


def records_of(path: Path) -> RecordDrive:
    drive = open_drive(path)
    assert isinstance(drive, RecordDrive)
    return drive


def frames_of(path: Path) -> FrameDrive:
    drive = open_drive(path)
    assert isinstance(drive, FrameDrive)
    return drive
