"""Calibration: from cosines to scores, by a database's size, its own pictures or an operator's fit."""
