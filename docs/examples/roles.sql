-- Run once by a superuser: psql -f roles.sql. Put in passwords of your own.
CREATE ROLE haulproof_owner LOGIN PASSWORD 'owner-password';
CREATE ROLE haulproof_runtime LOGIN PASSWORD 'runtime-password';
CREATE DATABASE haulproof OWNER haulproof_owner;
